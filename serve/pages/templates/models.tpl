% rebase('layout')
% name = dataset
% from serve.pages.formatting import count
% from serve.pages.models.scores import are_numbers, difference_text, is_better
% from serve.pages.models.verdict_text import warning_sentences
% from serve.pages.time_text import time_tag
% regression = dataset_spec.kind == "regression"
<h1>{{title}}</h1>
% if not rows:
<p>{{_("There is no version here.")}}</p>
% end
% include('retrain', name=name, has_model=bool(rows) or before is not None, may_change=may_change)
% for row in rows:
% if row.model.active:
% for sentence in warning_sentences(row.model.metrics):
<p class="notice">{{name}}@{{row.model.version}}{{colon}}{{sentence}}</p>
% end
% end
% end
% if len(rows) > 1:
<form class="filter" method="get" action="/models/{{name}}">
% for field, text, chosen in (("from", _("Compare version"), rows[1]), ("to", _("with version"), rows[0])):
<label><span>{{text}}</span><select name="{{field}}">
% for row in rows:
<option value="{{row.model.version}}" {{!"selected" if row is chosen else ""}}>{{name}}@{{row.model.version}}{{" · " + _("active") if row.model.active else ""}}</option>
% end
</select></label>
% end
<button>{{_("Compare")}}</button>
</form>
% end
% if rows:
<p class="soft">{{_("Mean errors, out of fold: less is better.") if regression else _("Accuracies, out of fold: more is better.")}} {{_("The change of the teacher is that since the version before. Its standard error takes both as measured on different rows, which makes it too large; the comparison of two versions is more exact.")}}</p>
<div class="wide" tabindex="0" role="region" aria-label="{{_("Versions of {name}").format(name=name)}}"><table>
<thead><tr><th scope="col">{{_("Version")}}</th><th scope="col">{{_("Trained")}}</th><th scope="col" class="n">{{_("Rows")}}</th><th scope="col" class="n">{{_("Teacher")}}</th><th scope="col" class="n">{{_("Student")}}</th><th scope="col" class="n">{{_("Guessing")}}</th><th scope="col" class="n">{{_("Change")}}</th></tr></thead><tbody>
% for row in rows:
<tr><th scope="row" class="whole"><a href="/models/{{name}}/{{row.model.version}}">{{name}}@{{row.model.version}}</a>
% if row.model.active:
<span class="badge fine">{{_("active")}}</span>
% elif not row.model.kept:
<span class="badge">{{_("scores only")}}</span>
% end
</th><td class="whole">{{!time_tag(row.model.made_at)}}</td><td class="n">{{count(row.model.metrics.get("rows", 0))}}</td>
% for score in row.scores:
<td class="n">{{score}}</td>
% end
% if row.difference:
<td class="n {{is_better(row.difference, rising=not are_numbers(row.model.metrics))}}">{{difference_text(row.difference)}}</td>
% else:
<td class="n">–</td>
% end
</tr>
% end
</tbody></table></div>
<p class="soft">{{_("The store keeps what is needed to activate or compare of the active version, the one active before it, and the newest. Of all others it keeps the scores.")}}</p>
% end
<nav class="pager" aria-label="{{_("Pages of this list")}}">
% if before is not None:
<a href="/models/{{name}}">{{_("Newest versions")}}</a>
% end
% if has_older:
<a rel="next" href="/models/{{name}}?before={{rows[-1].model.version}}">{{_("Older versions")}}</a>
% end
</nav>
