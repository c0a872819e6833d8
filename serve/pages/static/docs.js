// The page may stand under a proxy's prefix, and this file is in its folder docs.
const openapi = new URL("../openapi.json", document.currentScript.src).href;

// Swagger UI has dark colours of its own, which this class turns on.
const dark = matchMedia("(prefers-color-scheme: dark)");
const showTheme = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", showTheme);
showTheme();

// A separate file, since the Content-Security-Policy forbids inline scripts.
window.addEventListener("load", () => {
  SwaggerUIBundle({ url: openapi, dom_id: "#docs", deepLinking: true, tryItOutEnabled: true });
});
