<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{title}}</title>
<link rel="icon" href="/docs/flame.svg">
<link rel="stylesheet" href="/docs/page.css">
<script defer src="/docs/page.js"></script>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header>
<a class="name" href="/">Veilleuse</a>
<nav aria-label="Pages">
% for name in datasets:
<a href="/records/{{name}}">{{name}}</a>
% end
<a href="/docs">API</a>
</nav>
</header>
<main id="main">
{{!base}}
</main>
</body>
</html>
