% rebase('layout')
<h1>{{title}}</h1>
<p>{{_("Send a table whose first row has the names of the columns. A worker reads it and proposes what to predict, from which columns, and of which types. You review that before anything is created.")}}</p>
% include('job_note', note=note)
% include('job_upload', most_bytes=most_bytes, may_change=may_change, suffixes=suffixes, here=here, choices=True, button=_("Read the file"), quoted=quoted)
<p class="soft">{{_("At least 20 rows need a value in the column to predict.")}} {{_("All jobs:")}} <a href="/jobs">{{_("Files and jobs")}}</a></p>
<script defer src="/docs/drop.js"></script>
