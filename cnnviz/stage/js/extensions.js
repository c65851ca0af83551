// What a stage can do wherever it stands; the explorer adds what needs Python.

import { changing } from "./changing.js";
import { copying } from "./copying.js";
import { directing } from "./directing.js";
import { drawing } from "./drawing.js";
import { finding } from "./finding.js";
import { opening } from "./opening.js";
import { playing } from "./playing.js";
import { presenting } from "./presenting.js";
import { printing } from "./printing.js";
import { walking } from "./walking.js";

export const EXTENSIONS = [playing, drawing, directing, opening, changing, copying, walking, presenting, finding, printing];
