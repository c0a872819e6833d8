% rebase('layout')
<div class="guide">
<nav aria-label="{{_("Pages of the guide")}}">
<ul>
% for path, title, is_here in pages:
<li><a href="{{path}}" {{!'aria-current="page"' if is_here else ""}} lang="en">{{title}}</a></li>
% end
</ul>
</nav>
<article lang="en">
{{!text}}
</article>
</div>
