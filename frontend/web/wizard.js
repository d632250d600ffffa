// Fills in a template: the page says which, with its form and the reader's words.
import { createRoot } from "react-dom/client";

import { Wizard } from "./wizard/app.js";
import { learn } from "./wizard/words.js";

const page = JSON.parse(document.getElementById("wizard-page").textContent);
learn(page.words);
createRoot(document.getElementById("wizard")).render(<Wizard page={page} />);
