% rebase('layout')
<h1>{{title}}</h1>
<p class="notice" role="alert">{{detail}}</p>
<p><a href="/">Back to the dashboard</a></p>
