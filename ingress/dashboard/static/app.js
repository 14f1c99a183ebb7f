// What every page runs. Pages work without it: it adds what only a script can do.
import { keepTimes } from "./times.js";
import { followStream } from "./live.js";
import { listenToKeys } from "./keys.js";
import { tellOfSlowForms } from "./slow.js";

keepTimes();
followStream();
listenToKeys();
tellOfSlowForms();

document.querySelector(".menu [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });

const wide = window.matchMedia("(min-width: 60rem)");
const openWhereWide = () => {
  for (const details of document.querySelectorAll("details[data-open-when-wide]")) details.open = wide.matches;
};
openWhereWide();
wide.addEventListener("change", openWhereWide);
