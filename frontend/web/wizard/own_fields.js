// The names of the fields that Portal has beside those of the form's library.

// Fields that Backstage ships. Rule: scaffolder 1.39; portal/scaffolder/form.py lists the same.
const STOCK_FIELDS = [
  "EntityPicker", "OwnerPicker", "OwnedEntityPicker", "MyGroupsPicker", "MultiEntityPicker", "EntityNamePicker",
  "EntityTagsPicker", "RepoUrlPicker", "RepoBranchPicker", "RepoOwnerPicker", "Secret",
];
// What stands in where a schema does not say enough.
export const OWN_FIELDS = new Set([...STOCK_FIELDS, "AnyText", "AnyJson"]);
// Those made of several inputs, which are named together.
export const GROUPS = new Set(["RepoUrlPicker"]);
