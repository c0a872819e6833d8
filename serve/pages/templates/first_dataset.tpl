<section><h2>{{_("Begin")}}</h2>
<p>{{_("There is no dataset yet. A dataset is a table in which one column is predicted from the others.")}}</p>
<p><a class="button" href="/add">{{_("Make one from a file, in the browser")}}</a></p>
<p>{{_("Or in a terminal: write a dataset file from your table, check it, load it, import the rows and train.")}}</p>
<pre>python -m db infer FILE --target COLUMN
python -m db load NAME.toml
python -m db import NAME FILE
python -m enrich train NAME</pre>
<p><a href="/guide/tutorial">{{_("The tutorial shows it with three tables.")}}</a></p>
</section>
