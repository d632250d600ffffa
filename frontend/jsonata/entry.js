// The function that `portal.actions.scripting` calls: the value of an expression of JSONata for some data.
import jsonata from "jsonata";

// What JSONata's $base64encode and $base64decode look for.
globalThis.window = { atob: globalThis.atob, btoa: globalThis.btoa };

globalThis.main = ({ data, expression }) => jsonata(expression).evaluate(data);
