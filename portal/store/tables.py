"""The tables, as SQLAlchemy Core knows them; migrations bring a database to just this shape.

Times are whole milliseconds since 1970 in UTC: they compare and sort alike on SQLite and PostgreSQL. JSON values are
stored as finished text. The table `search_words` is no `Table`: full text is each database's own affair.
"""

from __future__ import annotations

from sqlalchemy import (
    DDL,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    event,
    false,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: Text that is compared byte by byte, so that both databases order and match alike.
Exact = Text().with_variant(Text(collation="C"), "postgresql")

#: A key that counts up by itself: SQLite does so only for a column of the type INTEGER.
Id = BigInteger().with_variant(Integer, "sqlite")

revisions = Table(
    "revisions",
    metadata,
    Column("revision", Id, primary_key=True, autoincrement=False, comment="grows by one with each committed refresh"),
    Column("source_id", Text, nullable=False),
    Column("recorded_at_ms", BigInteger, nullable=False),
    Column("added", Integer, nullable=False),
    Column("changed", Integer, nullable=False),
    Column("removed", Integer, nullable=False),
)

sources = Table(
    "sources",
    metadata,
    Column("id", Text, primary_key=True, comment="uuid"),
    Column("type", Text, nullable=False, comment="url or file"),
    Column("target", Text, nullable=False),
    Column("registered", Boolean, nullable=False, comment="through the API; otherwise by settings or the CLI"),
    Column("fingerprint", Text, nullable=False, comment="of heads, kinds and limits at the last refresh; empty: never"),
    Column("revision", BigInteger, nullable=False, comment="the last revision that this source wrote; 0: none"),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("refreshed_at_ms", BigInteger, nullable=True, comment="when the last refresh that found a change ended"),
    Column(
        "generation",
        BigInteger,
        nullable=False,
        server_default="0",
        comment="grows with each write; a refresh that read another one must not write",
    ),
    UniqueConstraint("type", "target"),
)

looks = Table(
    "looks",
    metadata,
    Column("source_id", Text, ForeignKey("sources.id", ondelete="CASCADE"), primary_key=True),
    Column("due_at_ms", BigInteger, nullable=False, comment="when a worker looks at the source again"),
    Column("holder", BigInteger, nullable=True, comment="number of the worker that looks now"),
    Column("again", Text, nullable=False, server_default="[]", comment="JSON of files to read though unchanged"),
    Column(
        "wanted_at_ms",
        BigInteger,
        nullable=True,
        comment="when a worker looks because somebody wants it; none: nobody does",
    ),
    Column("wanted_holder", BigInteger, nullable=True, comment="number of the worker that looks for that"),
)

files = Table(
    "files",
    metadata,
    Column("source_id", Text, ForeignKey("sources.id", ondelete="CASCADE"), primary_key=True),
    Column("location", Text, primary_key=True, comment="type:target of the file"),
    Column("blob", Text, nullable=False, comment="identity of the file's content; empty: it could not be read"),
    Column("inputs", Text, nullable=False, comment="JSON {location: blob} of files that placeholders took in"),
)

documents = Table(
    "documents",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("source_id", Text, ForeignKey("sources.id", ondelete="CASCADE"), nullable=False),
    Column("ref", Text, nullable=False),
    Column("location", Text, nullable=False, comment="type:target of the file"),
    Column("line", Integer, nullable=False, comment="where the document begins in its file, from 1"),
    Column("occurrence", Integer, nullable=False, comment="counts documents of one ref in one file, from 0"),
    Column("digest", Text, nullable=False, comment="sha256 of the declared entity, hex"),
    Column("commit", Text, nullable=False, comment="the commit that last touched the file; empty for a folder"),
    Column("author", Text, nullable=False, comment="name and address; empty for a folder"),
    Column("authored_at_ms", BigInteger, nullable=True),
    Column(
        "declared",
        Text,
        nullable=True,
        comment="JSON of the entity as declared, placeholders replaced; none: that of its version",
    ),
    Column(
        "is_orphan",
        Boolean,
        nullable=False,
        server_default=false(),
        comment="nothing names it any more, and it is kept",
    ),
    UniqueConstraint("source_id", "location", "ref", "occurrence"),
    Index(None, "ref"),
)

entities = Table(
    "entities",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False, comment="the number of its ref"),
    Column("ref", Exact, nullable=False, unique=True),
    Column("uid", Exact, nullable=False, unique=True, comment="uuid, stable for the life of the ref"),
    Column("etag", Text, nullable=False, comment="changes with the body"),
    Column("kind", Text, nullable=False, comment="lower case"),
    Column("title", Text, nullable=False, comment="metadata.title, or the name"),
    Column("document_id", BigInteger, nullable=False, comment="the document that holds the ref"),
    Column("source_id", Text, nullable=False, comment="the source that holds the ref"),
    Column("location", Text, nullable=False, comment="type:target of the file"),
    Column("digest", Text, nullable=False, comment="of the declared entity"),
    Column("owner", Text, nullable=True, comment="ref that spec.owner names"),
    Column("system", Text, nullable=True, comment="ref that spec.system names"),
    Column("domain", Text, nullable=True, comment="ref that spec.domain names"),
    Column("layer", Text, nullable=True, comment="ref that spec.layer names; not the effective layer"),
    Column("body", Text, nullable=False, comment="the finished JSON text that is served"),
    Column("term_ids", Text, nullable=False, server_default="[]", comment="JSON of the ids of its terms"),
    Index(None, "kind"),
)
# PostgreSQL would compress each row above 2 kB to write it, and unpack its body each time it is read.
event.listen(
    entities,
    "after_create",
    DDL("ALTER TABLE entities SET (toast_tuple_target = 8160)").execute_if(dialect="postgresql"),  # type: ignore[no-untyped-call]
)

refs = Table(
    "refs",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("ref", Exact, nullable=False, unique=True, comment="of an entity that is there, was, or is only named"),
)

relations = Table(
    "relations",
    metadata,
    Column("source_id", BigInteger, primary_key=True, comment="of the ref that it leaves"),
    Column("type_id", BigInteger, primary_key=True),
    Column("target_id", BigInteger, primary_key=True, comment="of the ref that it leads to"),
    Column("is_inverse", Boolean, primary_key=True, comment="the target declares it, not the source"),
    Index(None, "type_id", "target_id"),
    sqlite_with_rowid=False,
)

relation_types = Table(
    "relation_types",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("name", Exact, nullable=False, unique=True, comment="of any relation that there is, or was"),
)

terms = Table(
    "terms",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("key", Exact, nullable=False, comment="path of a leaf, lower case"),
    Column("value", Exact, nullable=False, comment="lower case"),
    Column("display", Exact, nullable=False, comment="the value with its case"),
    UniqueConstraint("key", "value", "display"),
)

postings = Table(
    "postings",
    metadata,
    Column("term_id", BigInteger, primary_key=True),
    Column("entity_id", BigInteger, primary_key=True),
    sqlite_with_rowid=False,
)

versions = Table(
    "versions",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("ref", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("change", Text, nullable=False, comment="added, changed or removed"),
    Column("source_id", Text, nullable=False),
    Column("location", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("commit", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("authored_at_ms", BigInteger, nullable=True),
    Column("recorded_at_ms", BigInteger, nullable=False),
    Column("declared", Text, nullable=False, comment="JSON; empty when removed"),
    Index(None, "ref", "revision"),
    Index(None, "revision"),
)

problems = Table(
    "problems",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("source_id", Text, ForeignKey("sources.id", ondelete="CASCADE"), nullable=False),
    Column("ref", Text, nullable=True),
    Column("location", Text, nullable=False),
    Column("line", Integer, nullable=True),
    Column("column", Integer, nullable=True),
    Column("field", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("found", Text, nullable=False),
    Column("expected", Text, nullable=False),
    Column("hint", Text, nullable=False),
    Column("said", Text, nullable=True, comment="JSON of found, expected, hint: templates with values, where any has"),
    Column("revision", BigInteger, nullable=False, comment="the revision that first showed it"),
    Index(None, "source_id"),
    Index(None, "ref"),
)

findings = Table(
    "findings",
    metadata,
    Column("mark", Exact, primary_key=True, comment="digest of rule, ref and message"),
    Column("digest", Text, nullable=False, comment="of all that is told; changes with it"),
    Column("ref", Exact, nullable=False),
    Column("rule", Exact, nullable=False),
    Column("severity", Text, nullable=False, comment="warn, enforce or exempt"),
    Column("layer", Text, nullable=True, comment="ref of the effective layer"),
    Column("message", Exact, nullable=False),
    Column("fix", Text, nullable=False),
    Column("related", Text, nullable=True, comment="JSON of whom it concerns beside, where it does"),
    Column("exemption", Text, nullable=True, comment="JSON, where there is one"),
    Column("said", Text, nullable=True, comment="JSON of the message's template with its values, where it has any"),
    Column("said_fix", Text, nullable=True, comment="the same of the fix"),
    Column("after_revision", BigInteger, nullable=False, comment="the last one surveyed without it"),
    Column("revision", BigInteger, nullable=False, comment="the first one surveyed with it"),
    Index(None, "ref"),
)

surveys = Table(
    "surveys",
    metadata,
    Column("revision", BigInteger, primary_key=True, autoincrement=False, comment="what follows from it is kept"),
    Column("day", Text, nullable=False, comment="in UTC, by which exemptions ended"),
    Column("rules", Text, nullable=False, comment="digest of the rules that were asked"),
)

derived = Table(
    "derived",
    metadata,
    Column("name", Exact, primary_key=True, comment="of a list that follows from the revision surveyed"),
    Column("part", Integer, primary_key=True, autoincrement=False, comment="from 0, each of as many items"),
    Column("body", Text, nullable=False, comment="JSON list"),
)

tasks = Table(
    "tasks",
    metadata,
    Column("id", Text, primary_key=True, comment="uuid; also the workflow's"),
    Column("status", Text, nullable=False, comment="open, processing, completed, failed, cancelled or skipped"),
    Column("spec", Text, nullable=False, comment="JSON, without secrets"),
    Column("secrets", Text, nullable=True, comment="ciphertext under the instance key; cleared when the task ends"),
    Column("created_by", Text, nullable=True),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("last_heartbeat_at_ms", BigInteger, nullable=True),
    Column(
        "template_commit",
        Text,
        nullable=True,
        comment="of the template that it ran; none: it has not ended, or the template lies in a folder",
    ),
    Column("template_ref", Text, nullable=True, comment="the template that it runs"),
    Index(None, "created_at_ms"),
    Index(None, "template_ref", "created_at_ms"),
    # What lists count, without a look at the specs.
    Index(None, "template_ref", "status", "created_by"),
)

task_events = Table(
    "task_events",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("task_id", Text, ForeignKey("tasks.id", ondelete="CASCADE"), nullable=False),
    Column("type", Text, nullable=False, comment="log, completion, cancelled or recovered"),
    Column("body", Text, nullable=False, comment="JSON"),
    Column("created_at_ms", BigInteger, nullable=False),
    Index(None, "task_id"),
)

heard_deliveries = Table(
    "heard_deliveries",
    metadata,
    Column("key", Text, primary_key=True, comment="sha256 of the id or the content of a delivery, hex"),
    Column("expires_at_ms", BigInteger, nullable=False),
    Index(None, "expires_at_ms"),
)

signing_keys = Table(
    "signing_keys",
    metadata,
    Column("id", Text, primary_key=True, comment="uuid; the kid of tokens"),
    Column("public_key", Text, nullable=False, comment="JSON Web Key"),
    Column("private_key", Text, nullable=False, comment="ciphertext under the instance key"),
    Column("signs_until_ms", BigInteger, nullable=False),
    Column("expires_at_ms", BigInteger, nullable=False, comment="until when its signatures are believed"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("digest", Text, primary_key=True, comment="SHA-256 of the id that the browser holds, hex"),
    Column("user_ref", Text, nullable=False),
    Column("provider", Text, nullable=False, comment="id of the settings' sign_in_providers"),
    Column("profile", Text, nullable=False, comment="JSON: email, displayName, picture"),
    Column("sealed", Text, nullable=True, comment="the provider's tokens, ciphertext"),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("expires_at_ms", BigInteger, nullable=False),
    Index(None, "expires_at_ms"),
)

api_tokens = Table(
    "api_tokens",
    metadata,
    Column("id", Text, primary_key=True, comment="16 hex characters; part of the token"),
    Column("digest", Text, nullable=False, comment="sha256 of the token, hex"),
    Column("kind", Text, nullable=False, comment="personal or service"),
    Column("owner", Exact, nullable=False, comment="ref of the user, or the service's name"),
    Column("description", Text, nullable=False),
    Column("scopes", Text, nullable=False, comment="JSON list, as asked for"),
    Column("needs_entity", Boolean, nullable=False, comment="ends with the entity of the owner"),
    Column("created_by", Text, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("expires_at_ms", BigInteger, nullable=False),
    Column("revoked_at_ms", BigInteger, nullable=True),
    Column("last_used_at_ms", BigInteger, nullable=True, comment="written in batches"),
    Index(None, "owner"),
)

user_settings = Table(
    "user_settings",
    metadata,
    Column("user_ref", Exact, primary_key=True),
    Column("bucket", Exact, primary_key=True),
    Column("key", Exact, primary_key=True),
    Column("value", Text, nullable=False, comment="JSON"),
)

audit_records = Table(
    "audit_records",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("actor", Exact, nullable=False, comment="ref of a user, service:, operator: or commit: with a name, nobody"),
    Column("token_id", Text, nullable=False, comment="of the API token that was used; empty: none"),
    Column("action", Exact, nullable=False),
    Column("target", Exact, nullable=False, comment="what it was done to"),
    Column("result", Text, nullable=False, comment="success, refused or failed"),
    Column("status", Integer, nullable=True, comment="of the HTTP response"),
    Column("request_id", Text, nullable=False),
    Column("version_id", BigInteger, nullable=True, unique=True, comment="the version that it tells of"),
    Index(None, "at_ms", "id"),
    Index(None, "actor", "at_ms"),
    sqlite_autoincrement=True,
)
#: Records are never changed, nor deleted on the day they are made, whatever the code does that has a connection.
_AUDIT_GUARDS = {
    "sqlite": (
        (
            "CREATE TRIGGER audit_records_stand BEFORE UPDATE ON audit_records "
            "BEGIN SELECT RAISE(ABORT, 'audit records are never changed'); END"
        ),
        (
            "CREATE TRIGGER audit_records_stay BEFORE DELETE ON audit_records "
            "WHEN OLD.at_ms > (CAST(strftime('%%s', 'now') AS INTEGER) - 43200) * 1000 "
            "BEGIN SELECT RAISE(ABORT, 'new audit records are not deleted'); END"
        ),
    ),
    "postgresql": (
        (
            "CREATE OR REPLACE FUNCTION audit_records_guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "IF TG_OP = 'DELETE' AND OLD.at_ms <= (extract(epoch FROM now()) - 43200) * 1000 THEN RETURN OLD; END IF; "
            "RAISE EXCEPTION 'audit records are never changed, new ones not deleted'; END $$"
        ),
        (
            "CREATE TRIGGER audit_records_stand BEFORE UPDATE OR DELETE ON audit_records "
            "FOR EACH ROW EXECUTE FUNCTION audit_records_guard()"
        ),
    ),
}
for _dialect, _guards in _AUDIT_GUARDS.items():
    for _statement in _guards:
        event.listen(audit_records, "after_create", DDL(_statement).execute_if(dialect=_dialect))  # type: ignore[no-untyped-call]

#: The words of entities by the entity's id. On SQLite they come folded, so that of ASCII letters and digits, with all
#: that is beyond ASCII, make a token.
_SEARCH_WORDS = {
    "sqlite": ("CREATE VIRTUAL TABLE IF NOT EXISTS search_words USING fts5 (names, marks, text, tokenize = 'ascii')",),
    "postgresql": (
        "CREATE TABLE IF NOT EXISTS search_words (entity_id bigint PRIMARY KEY, words tsvector NOT NULL)",
        "CREATE INDEX IF NOT EXISTS ix_search_words_words ON search_words USING gin (words)",
    ),
}
event.listen(metadata, "before_drop", DDL("DROP TABLE IF EXISTS search_words"))  # type: ignore[no-untyped-call]
for _dialect, _statements in _SEARCH_WORDS.items():
    for _statement in _statements:
        event.listen(metadata, "after_create", DDL(_statement).execute_if(dialect=_dialect))  # type: ignore[no-untyped-call]
