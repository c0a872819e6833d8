% rebase('layout')
<h1>{{title}}</h1>
<p class="notice" role="alert">{{detail}}</p>
<p><a href="/">{{_("Back to the first page")}}</a></p>
