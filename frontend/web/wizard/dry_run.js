// Tries the template with the values, and shows what it would make.
import { useEffect, useRef, useState } from "react";

import { ask } from "./server.js";
import { word } from "./words.js";

const LONGEST_SHOWN = 200_000;

// Returns the text of a file, null for what is none or too long.
function textOf(file) {
  const bytes = Uint8Array.from(atob(file.base64Content), (letter) => letter.charCodeAt(0));
  if (bytes.length > LONGEST_SHOWN || bytes.includes(0)) return { size: bytes.length, text: null };
  try {
    return { size: bytes.length, text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch {
    return { size: bytes.length, text: null };
  }
}

// Returns files as a tree: folders, each with its own, before the files.
function treeOf(files) {
  const root = { folders: new Map(), files: [] };
  for (const file of files) {
    const steps = file.path.split("/");
    let here = root;
    for (const step of steps.slice(0, -1)) {
      if (!here.folders.has(step)) here.folders.set(step, { folders: new Map(), files: [] });
      here = here.folders.get(step);
    }
    here.files.push({ ...file, name: steps.at(-1) });
  }
  return root;
}

function Tree({ tree, chosen, onChoose }) {
  const byName = (a, b) => (a[0] ?? a.name).localeCompare(b[0] ?? b.name);
  return (
    <ul>
      {[...tree.folders].sort(byName).map(([name, inner]) => (
        <li key={`${name}/`}><details open><summary>{name}/</summary><Tree tree={inner} chosen={chosen} onChoose={onChoose} /></details></li>
      ))}
      {[...tree.files].sort((a, b) => a.name.localeCompare(b.name)).map((file) => (
        <li key={file.name}>
          <button type="button" aria-pressed={file.path === chosen} onClick={() => onChoose(file.path)}>{file.name}{file.executable && <span className="note"> {word("executable")}</span>}</button>
        </li>
      ))}
    </ul>
  );
}

function Files({ files }) {
  const first = files.find((file) => /(^|\/)catalog-info\.yaml$/.test(file.path)) ?? files[0];
  const [chosen, setChosen] = useState(first?.path);
  const file = files.find((item) => item.path === chosen);
  if (!files.length) return <p className="empty">{word("It makes no files.")}</p>;
  const { text, size } = textOf(file);
  return (
    <div className="files">
      <nav aria-label={word("Files")}><Tree tree={treeOf(files)} chosen={chosen} onChoose={setChosen} /></nav>
      <div className="file">
        <p className="path"><code>{file.path}</code></p>
        {text === null ? <p className="empty">{word("%(size)s bytes that are no text, or too many to show.", { size })}</p> : <pre tabIndex={0} aria-label={file.path}>{text}</pre>}
      </div>
    </div>
  );
}

function Steps({ result }) {
  const status = Object.fromEntries(result.log.filter((line) => line.body.status).map((line) => [line.body.stepId, line.body.status]));
  const words = { completed: word("done"), failed: word("failed"), skipped: word("skipped"), processing: word("not finished") };
  return (
    <ol className="tried-steps">
      {result.steps.map((step) => (
        <li key={step.id} className={status[step.id]}><span>{step.name}</span> <code>{step.action}</code> <span className="note">{words[status[step.id]] ?? word("not run")}</span></li>
      ))}
    </ol>
  );
}

// The button that tries stands beside what else can be done, `children`.
export function DryRun({ asked, onRefused, children }) {
  const [state, setState] = useState({});
  const heading = useRef(null);
  const { result, isBusy } = state;
  async function run() {
    setState({ isBusy: true });
    try {
      setState({ result: await ask("/api/scaffolder/v2/dry-run", asked()) });
    } catch (error) {
      setState({});
      onRefused(error);
    }
  }
  useEffect(() => {
    if (result) heading.current?.focus();
  }, [result]);
  return (
    <>
      <div className="actions">
        {children}
        <button type="button" className="btn btn-outline-primary" onClick={run} disabled={isBusy}>{isBusy ? word("Trying …") : word("Try it without making anything")}</button>
      </div>
      <span role="status" className="hidden">{isBusy ? word("Trying …") : ""}</span>
      {result && (
        <section className="tried" aria-labelledby="tried">
          <h3 id="tried" tabIndex={-1} ref={heading}>{result.error ? word("It fails") : word("This is what it would make")}</h3>
          {result.error && <p className="alert alert-danger" role="alert">{result.error.message}</p>}
          <Files files={result.directoryContents} />
          <details open={Boolean(result.error)}><summary>{word("Steps")}</summary><Steps result={result} /></details>
          {Object.keys(result.output).length > 0 && <details><summary>{word("Output")}</summary><pre tabIndex={0}>{JSON.stringify(result.output, null, 2)}</pre></details>}
          <details><summary>{word("Log")}</summary><pre tabIndex={0}>{result.log.map((line) => line.body.message).join("\n")}</pre></details>
        </section>
      )}
    </>
  );
}
