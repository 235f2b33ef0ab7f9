import { singleFile } from "./single-file.ts";

export default singleFile("panel.html", 350_000);
