// The bridge between Portal and nunjitsu: JSON text in, JSON text out.
//
// QuickJS runs under a time limit here, and its Python binding refuses to call Python while one is set. So a filter
// that Portal owns is not called back: the first pass gets a placeholder for its result and is thrown away, the
// question goes out, and the render starts again once the answer is known. Renders have no side effects, so doing one
// twice is safe; going on with a placeholder finds the questions of a whole loop in one pass.
//
// `undefined` has no JSON: a value crosses as `[value]`, undefined as `[]`.
import { TemplateLimitError, TemplateRenderError, createTemplateRenderer } from "nunjitsu";

const filters = {};
const functions = {};
const renderers = new Map();
let session = null;

const placeholder = "<<the result of a filter that is not known yet>>";
const wrap = (value) => (value === undefined ? [] : [value]);

function ask(name, operands) {
  const question = JSON.stringify([name, operands.map(wrap)]);
  const answer = session.answers.get(question);
  if (answer === undefined) {
    // a question about a placeholder is no question; the first of a pass cannot be one, so each pass gets further
    if (session.waiting && question.includes(placeholder)) throw new Error("waiting for an answer");
    session.questions.add(question);
    session.waiting = true;
    return placeholder;
  }
  if (answer.error !== undefined) throw new Error(answer.error);
  return answer.value[0];
}

const statusFunctions = {
  always() {
    session.statusFunctionCalled = true;
    return true;
  },
  failure() {
    session.statusFunctionCalled = true;
    return session.failed;
  },
};

// `crypto` is what nunjitsu's `random` filter asks for. The stream depends on seed and source alone (splitmix32), so
// that a render that starts again draws the same.
globalThis.crypto = {
  getRandomValues(words) {
    if (session.seed === null) throw new Error("no random source was given");
    for (let index = 0; index < words.length; index += 1) {
      session.random = (session.random + 0x9e3779b9) | 0;
      let word = session.random ^ (session.random >>> 16);
      word = Math.imul(word, 0x21f0aaad);
      word ^= word >>> 15;
      word = Math.imul(word, 0x735a2d97);
      words[index] = word ^ (word >>> 15);
    }
    return words;
  },
};

function rendererFor(mode, options) {
  const key = JSON.stringify([mode, options]);
  if (!renderers.has(key)) {
    const globals = mode === "value" ? { ...functions, ...statusFunctions } : functions;
    renderers.set(key, createTemplateRenderer({ ...options, allowRegexExecution: true, filters, globals }));
  }
  return renderers.get(key);
}

function describe(error) {
  const known = error instanceof TemplateRenderError || error instanceof TemplateLimitError;
  return {
    message: String(error?.message ?? error),
    line: known ? (error.line ?? null) : null,
    column: known ? (error.column ?? null) : null,
    limit: error instanceof TemplateLimitError,
  };
}

function run() {
  const started = Date.now();
  session.questions.clear();
  for (const job of session.jobs) {
    if (job.outcome !== null) continue;
    session.current = job.index;
    session.waiting = false;
    session.statusFunctionCalled = false;
    session.random = ((session.seed ?? 0) + Math.imul(job.index, 0x85ebca6b)) | 0;
    let outcome;
    try {
      outcome = { value: wrap(session.render(job.source)) };
    } catch (error) {
      outcome = { error: describe(error) };
    }
    if (session.waiting) continue;
    job.outcome = outcome;
    session.statusFunctionsCalled ||= session.statusFunctionCalled;
  }
  const spent = (Date.now() - started) / 1000;
  if (session.questions.size > 0) {
    return JSON.stringify({ questions: Array.from(session.questions), spent });
  }
  const { jobs, statusFunctionsCalled } = session;
  session = null;
  return JSON.stringify({ outcomes: jobs.map((job) => job.outcome), statusFunctionsCalled, spent });
}

globalThis.portalEngine = {
  configure(filterNames) {
    for (const name of JSON.parse(filterNames)) filters[name] = (...operands) => ask(name, operands);
  },

  // What Portal has beside filters; a question names it with brackets.
  provide(functionNames) {
    for (const name of JSON.parse(functionNames)) functions[name] = (...operands) => ask(`${name}()`, operands);
  },

  start(request) {
    const { mode, sources, context, options, coercion, failed, seed } = JSON.parse(request);
    const renderer = rendererFor(mode, options);
    let prepared;
    try {
      prepared = renderer.prepareContext(context);
    } catch (error) {
      return JSON.stringify({ refused: String(error?.message ?? error) });
    }
    session = {
      render:
        mode === "value"
          ? (source) => renderer.renderValue(source, prepared, { coercion })
          : (source) => renderer.render(source, prepared),
      jobs: sources.map((source, index) => ({ source, index, outcome: null })),
      answers: new Map(),
      questions: new Set(),
      waiting: false,
      statusFunctionCalled: false,
      statusFunctionsCalled: false,
      failed,
      seed,
      random: 0,
      current: 0,
    };
    return run();
  },

  resume(answers) {
    for (const [question, answer] of JSON.parse(answers)) session.answers.set(question, answer);
    return run();
  },

  // The source being rendered when a limit stopped the engine.
  current: () => session?.current ?? 0,
};
