// The page may stand under a proxy's prefix, and this file is in its folder docs.
const openapi = new URL("../openapi.json", document.currentScript.src).href;
// A separate file, since the Content-Security-Policy forbids inline scripts.
window.addEventListener("load", () => {
  SwaggerUIBundle({ url: openapi, dom_id: "#docs", deepLinking: true, tryItOutEnabled: true });
});
