% rebase('layout')
% from serve.pages.formatting import count
% from serve.pages.guide.term import term
% from serve.pages.over_time.production_data import loss_text
% from serve.pages.time_text import day_text
% name = served.name
<h1>{{title}}</h1>
% if weeks:
<section aria-labelledby="verdict">
<h2 id="verdict">{{_("How the answers turned out")}}</h2>
% if summary:
<p class="headline"><strong>{{summary}}</strong></p>
% end
% if alert:
<p class="notice">{{alert}}</p>
<p>{{_("What to do:")}} <a href="/records/{{name}}?show=asked">{{_("look at what is asked")}}</a>, <a href="/over-time/{{name}}">{{_("see which inputs have changed")}}</a>, <a href="/models/{{name}}">{{_("and train a new version with the labels that have come")}}</a>.</p>
% else:
<p>{{calm}}</p>
% end
% include('chart', chart=chart, table=None)
<p class="soft">{{_("By the week of the answer, which begins on Monday in UTC. Labels come later, so the last weeks still change.")}}</p>
<div class="wide" tabindex="0" role="region" aria-label="{{_("Weeks and versions")}}"><table>
<thead><tr><th scope="col">{{_("Week from")}}</th><th scope="col">{{_("Verdict")}}</th><th scope="col" class="n">{{_("Mean error") if is_regression else _("Right")}}</th><th scope="col" class="n">{{_("In training")}}</th><th scope="col" class="n">{{_("Alert from")}}</th><th scope="col" class="n">{{!term("outcome", _("Outcomes"))}}</th><th scope="col">{{_("Version")}}</th></tr></thead>
<tbody>
% for week in weeks:
<tr><th scope="row">{{day_text(week.start)}}</th>
% if week.is_worse:
<td><span class="badge bad">{{_("worse than training")}}</span></td>
% elif week.limit is None:
<td><span class="badge">{{_("not judged")}}</span></td>
% else:
<td><span class="badge fine">{{_("as in training")}}</span></td>
% end
<td class="n">{{loss_text(week.mean_loss, is_regression=is_regression)}}</td><td class="n">{{loss_text(week.training_loss, is_regression=is_regression)}}</td><td class="n">{{loss_text(week.limit, is_regression=is_regression)}}</td><td class="n">{{count(week.count)}}</td><td class="whole"><a href="/models/{{name}}/{{week.model_version}}">{{name}}@{{week.model_version}}</a></td></tr>
% end
</tbody></table></div>
<p class="soft">{{_("A week is worse than training if chance alone would hardly explain the difference: with as many outcomes and as many records in training, fewer than 2 in 100 quarters would show such a week.")}} {{_("Labels that people give on the pages are not counted here: they are of chosen records.")}}</p>
</section>
% else:
<p>{{_("No label has come yet for an answer of this dataset. As soon as you know what turned out to be true, send it: then this page shows how good the model is on what it is really asked.")}} {{_("Labels that people give on the pages are not counted here: they are of chosen records.")}}</p>
% end
<section aria-labelledby="tell">
<h2 id="tell">{{_("Tell what turned out to be true")}}</h2>
% if not keeps_answers:
<p class="notice">{{_("Answers of this dataset are not kept, so labels cannot be compared with them: set ANSWERS_PER_SECOND above 0, and remember = true in the dataset's file.")}}</p>
% end
<h3>{{_("With a file")}}</h3>
<p>{{_("Send a table with the labels in the column {target}. Each row says what its label is the truth of, in one of these ways:").format(target=served.spec.target)}}</p>
<ul>
% for way in subjects:
<li>{{way.words}}:
% for column in way.columns[:20]:
<code>{{column}}</code>
% end
% if len(way.columns) > 20:
{{_("and {number} more").format(number=count(len(way.columns) - 20))}}
% end
</li>
% end
</ul>
% if served.is_final:
<p class="soft">{{_("With the inputs beside the id, each label counts, whether its answer was kept or not.")}}</p>
% end
% include('job_upload', most_bytes=most_bytes, may_change=may_change, suffixes=suffixes, here=here, choices=False, button=_("Compare the labels with the answers"), quoted=quoted)
<p class="soft">{{_("A worker does this. Rows that cannot be used are listed with their line, and sending a file again changes nothing. All jobs:")}} <a href="/jobs">{{_("Files and jobs")}}</a></p>
<p>{{_("The same on the command line:")}} <code>python -m db import {{name}} FILE --labels</code></p>
<h3>{{_("From a program")}}</h3>
<p>{{_("Each answer has an id in its header X-Request-Id. Send it back with the label, with a key from API_KEYS; or name the row, or the inputs:")}}</p>
% for command in commands:
<p><code>{{command}}</code></p>
% end
</section>
<script defer src="/docs/drop.js"></script>
