% from serve.pages.navigation import site_links
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Veilleuse API</title>
<link rel="icon" href="/docs/flame.svg">
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="stylesheet" href="/docs/docs.css">
<script defer src="/docs/swagger-ui-bundle.js"></script>
<script defer src="/docs/docs.js"></script>
</head>
<body>
<header class="site" lang="{{language}}">
<a class="name" href="/">Veilleuse</a>
<nav aria-label="{{_("Pages")}}">
% for link in site_links([], "", "/docs"):
<a href="{{link.path}}" {{!'aria-current="page"' if link.is_here else ""}}>{{link.text}}</a>
% end
</nav>
</header>
<div id="docs"></div>
</body>
</html>
