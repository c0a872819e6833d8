<!doctype html>
<html lang="{{language}}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{title}}</title>
<link rel="icon" href="/docs/flame.svg">
<link rel="stylesheet" href="/docs/page.css">
<script defer src="/docs/page.js"></script>
</head>
<body>
% from serve.pages.navigation import dataset_links, site_links
% here, dataset = get("here", ""), get("dataset", "")
<a class="skip" href="#main">{{_("Skip to the content")}}</a>
<header>
<a class="name" href="/">Veilleuse</a>
<nav aria-label="{{_("Pages")}}">
% for link in site_links(datasets, dataset, here):
<a href="{{link.path}}" {{!'aria-current="page"' if link.is_here else ""}}>{{link.text}}</a>
% end
</nav>
</header>
% if dataset:
<nav class="tabs" aria-label="{{_("Pages of {dataset}").format(dataset=dataset)}}">
% for link in dataset_links(dataset, here):
<a href="{{link.path}}" {{!'aria-current="page"' if link.is_here else ""}}>{{link.text}}</a>
% end
</nav>
% end
<main id="main">
{{!base}}
</main>
</body>
</html>
