// Builds the form from what the API tells of the service, asks the API with what the form holds, shows what it answers.
const form = document.getElementById("question");
const answer = document.getElementById("answer");

function show(text, hasFaults) {
  answer.textContent = text;
  answer.classList.toggle("has-faults", hasFaults);
}

function labelled(input) {
  const label = document.createElement("label");
  const field = document.createElement("input");
  Object.assign(field, { type: "number", step: "any", required: true, name: input.name });
  Object.assign(field, { min: input.minimum, max: input.maximum });
  label.append(input.title, field);
  return label;
}

async function ask(path, body) {
  const headers = { "content-type": "application/json" };
  const response = await fetch(path, body && { method: "POST", headers, body: JSON.stringify(body) });
  return { isGood: response.ok, told: await response.json() };
}

async function begin() {
  const { told } = await ask("api/service");
  document.title = told.title;
  for (const name of ["title", "description", "version"]) document.getElementById(name).textContent = told[name];
  document.getElementById("inputs").append(...told.inputs.map(labelled));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const question = Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, Number(value)]));
    try {
      const { isGood, told: found } = await ask("api/predict", question);
      show(isGood ? `${told.output}: ${found[told.output].toLocaleString()}` : found.faults.join("\n"), !isGood);
    } catch {
      show("The service does not answer; try again in a moment.", true);
    }
  });
}

begin().catch(() => show("The service does not answer; load the page again in a moment.", true));
