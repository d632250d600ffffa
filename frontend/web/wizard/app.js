// The wizard: a page of the form at a time, then a look at all of it, a trial, and the task.
import { ErrorSchemaBuilder } from "@rjsf/utils";
import { useEffect, useMemo, useRef, useState } from "react";

import { DryRun } from "./dry_run.js";
import { forget, keep, kept } from "./kept.js";
import { isComplete, PageForm, withDefaults } from "./page_form.js";
import { Review, submitted } from "./review.js";
import { isObject, pagesOf, secretNames, without } from "./schema.js";
import { ask } from "./server.js";
import { wrong } from "./validator.js";
import { word } from "./words.js";

const stepOfUrl = () => Math.max(0, (Number.parseInt(new URLSearchParams(location.search).get("step"), 10) || 1) - 1);

function urlOfStep(step) {
  const url = new URL(location.href);
  url.searchParams.delete("formData");
  if (step) url.searchParams.set("step", String(step + 1));
  else url.searchParams.delete("step");
  return url;
}

// Values to begin with: of the url, as "start over" gives them, else what the tab has kept.
function begun(template, secrets) {
  const given = new URLSearchParams(location.search).get("formData");
  if (given) {
    try {
      const values = JSON.parse(given);
      if (isObject(values)) return without(values, secrets);
    } catch {
      // Somebody has cut the url off.
    }
  }
  return without(kept(template), secrets);
}

// Returns the first page, of those before a step, that lacks something, else the step.
function reachable(step, pages, values, context) {
  const wanted = Math.min(step, pages.length);
  const lacking = pages.slice(0, wanted).findIndex((page) => !isComplete(page, values, context));
  return lacking < 0 ? wanted : lacking;
}

// Sorts what the server refuses: faults of fields, by page, and what is left to say.
function sorted(error, pages) {
  const faults = error.faults?.map((fault) => [fault.name === "required" ? [...fault.path, fault.argument] : fault.path, wrong(fault.name, fault.argument, fault.message)]) ?? [];
  const rest = [];
  if (!faults.length) {
    for (const line of String(error.message).split("\n")) {
      const [, name, text] = /^([\w.-]+): (.+)$/s.exec(line) ?? [];
      if (name && pages.some((page) => page.names.has(name))) faults.push([[name], text]);
      else rest.push(line);
    }
  }
  const builders = new Map();
  for (const [path, message] of faults) {
    const index = pages.findIndex((page) => page.names.has(String(path[0])));
    if (index < 0) rest.push([...path, message].join(" "));
    else {
      if (!builders.has(index)) builders.set(index, new ErrorSchemaBuilder());
      builders.get(index).addErrors(message, path.map(String));
    }
  }
  return { byPage: new Map([...builders].map(([index, builder]) => [index, builder.ErrorSchema])), rest: rest.join("\n") };
}

function Progress({ pages, step, onStep }) {
  return (
    <nav aria-label={word("Steps")} className="progress-steps">
      <ol>
        {[...pages.map((page) => page.title), word("Review")].map((title, index) => (
          <li key={index} aria-current={index === step ? "step" : undefined} className={index < step ? "past" : undefined}>
            {index < step ? <button type="button" onClick={() => onStep(index)}>{title}</button> : <span>{title}</span>}
          </li>
        ))}
      </ol>
    </nav>
  );
}

export function Wizard({ page: told }) {
  const { template, form, hosts, user, claims, taskUrl, refusal } = told;
  const pages = useMemo(() => pagesOf(form), [form]);
  const secret = useMemo(() => pages.reduce((found, page) => secretNames(page.uiSchema, found), new Set()), [pages]);
  const [values, setValues] = useState(() => {
    const found = begun(template, secret);
    return stepOfUrl() || Object.keys(found).length ? pages.reduce((all, page) => withDefaults(page, all), found) : found;
  });
  const [secrets, setSecrets] = useState({});
  const context = { hosts, secrets, user, claims, values, giveSecret: (name, text) => setSecrets((all) => ({ ...all, [name]: text })) };
  const [step, setStep] = useState(() => reachable(stepOfUrl(), pages, values, context));
  const [faults, setFaults] = useState({ byPage: new Map(), rest: "" });
  const [isSending, setSending] = useState(false);
  const [fresh, setFresh] = useState(0);
  const heading = useRef(null);
  const hasMoved = useRef(false);
  const latest = useRef(null);
  latest.current = { values, context };

  useEffect(() => {
    history.replaceState(history.state, "", urlOfStep(step));
    const back = () => {
      hasMoved.current = true;
      setStep(reachable(stepOfUrl(), pages, latest.current.values, latest.current.context));
    };
    addEventListener("popstate", back);
    return () => removeEventListener("popstate", back);
  }, [pages]);
  useEffect(() => {
    keep(template, values, secret);
  }, [template, values, secret]);
  useEffect(() => {
    if (hasMoved.current && !heading.current?.closest("section").contains(document.activeElement)) focusFirst(heading.current);
  }, [step, fresh]);

  function go(next) {
    hasMoved.current = true;
    document.activeElement?.blur();
    history.pushState(null, "", urlOfStep(next));
    setStep(next);
    scrollTo({ top: 0 });
  }

  function refuse(error) {
    const found = sorted(error, pages);
    setFaults(found);
    const first = Math.min(...found.byPage.keys());
    if (Number.isFinite(first)) {
      setFresh((count) => count + 1);
      go(first);
    }
  }

  const asked = () => ({ templateRef: template, values: submitted(pages, values), secrets: Object.fromEntries(Object.entries(secrets).filter(([, text]) => text !== undefined)) });

  async function create() {
    setSending(true);
    setFaults({ byPage: new Map(), rest: "" });
    try {
      const { id } = await ask("/api/scaffolder/v2/tasks", asked());
      forget(template);
      location.assign(taskUrl.replace("{id}", encodeURIComponent(id)));
    } catch (error) {
      setSending(false);
      refuse(error);
    }
  }

  function startAnew() {
    forget(template);
    setValues({});
    setSecrets({});
    setFaults({ byPage: new Map(), rest: "" });
    setFresh((count) => count + 1);
    go(0);
  }

  const isReview = step >= pages.length;
  const labels = form.presentation?.buttonLabels ?? {};
  const page = pages[step];
  const title = isReview ? word("Review") : page.title || word("Step %(number)s", { number: step + 1 });
  const back = step > 0 && <button type="button" className="btn btn-outline-secondary" onClick={() => go(step - 1)}>{labels.backButtonText ?? word("Back")}</button>;
  return (
    <>
      {pages.length > 0 && <Progress pages={pages} step={step} onStep={go} />}
      <section className="card card-body step" aria-labelledby="step">
        <h2 id="step" ref={heading} tabIndex={-1}>{title}</h2>
        {faults.rest && <p className="alert alert-danger" role="alert">{faults.rest}</p>}
        {isReview ? (
          <>
            <Review pages={pages} values={submitted(pages, values)} onPage={go} />
            {refusal && <p className="alert alert-warning">{refusal}</p>}
            <DryRun asked={asked} onRefused={refuse}>
              {back}
              <button type="button" className="btn btn-primary" onClick={create} disabled={isSending}>{isSending ? word("Starting …") : labels.createButtonText ?? word("Create")}</button>
            </DryRun>
          </>
        ) : (
          <PageForm
            key={`${step}-${fresh}`} page={page} pages={pages} index={step} values={values} context={context} extraErrors={faults.byPage.get(step)} onChange={setValues}
            onError={() => requestAnimationFrame(() => focusFirst(heading.current))}
            onSubmit={() => {
              setFaults({ byPage: new Map([...faults.byPage].filter(([index]) => index !== step)), rest: "" });
              go(step + 1);
            }}
          >
            <div className="actions">
              {back}
              <button type="submit" className="btn btn-primary">{step === pages.length - 1 ? labels.reviewButtonText ?? word("Review") : word("Next")}</button>
              <button type="button" className="btn btn-link" onClick={startAnew}>{word("Start anew")}</button>
            </div>
          </PageForm>
        )}
      </section>
    </>
  );
}

// Leads to the first field that is wrong, else to the step's heading.
function focusFirst(heading) {
  const wrong = heading?.closest("section").querySelector("[aria-invalid], .has-errors, .is-invalid");
  (wrong ?? heading)?.focus();
}
