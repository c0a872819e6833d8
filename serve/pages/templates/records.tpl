% rebase('layout')
% from serve.api.query import as_text
% from serve.pages.formatting import number
% q, w, name, spec = query, query.filter, served.name, served.spec
<h1>{{spec.title or name}}: records</h1>
% if any(one.held_out for one in listing.rows):
<p class="soft">Of records with a label the prediction is the one that was made out of fold in training, without the label being seen.</p>
% end
<form class="filter" method="get" action="/records/{{name}}">
<label><span>Show</span><select name="show">
% for show, words in titles.items():
% if spec.kind == "classification" or show not in ("uncertain", "issues"):
<option value="{{show}}" {{!"selected" if show == w.show else ""}}>{{words}}</option>
% end
% end
</select></label>
% if spec.kind == "classification":
% for field, words, chosen in (("label", "Label", w.label), ("prediction", "Prediction", w.prediction)):
<label><span>{{words}}</span><select name="{{field}}"><option value="">any</option>
% for label in dict.fromkeys([*labels, *([chosen] if chosen else [])]):
<option {{!"selected" if label == chosen else ""}}>{{label}}</option>
% end
</select></label>
% end
% end
% if w.group:
<label><span>Group</span><input name="group" value="{{w.group}}"></label>
% end
<button>Filter</button>
</form>
% if not listing.rows:
<p>{{"None among those looked at here; the next page goes on." if listing.after else "There are none."}}</p>
% else:
<div class="wide" tabindex="0" role="region" aria-label="Records of {{name}}"><table>
<caption class="quiet">{{titles[w.show]}}</caption>
<thead><tr><th scope="col">Key</th>
% for field in spec.fields:
<th scope="col">{{field}}</th>
% end
<th scope="col">{{spec.target}}</th><th scope="col">Prediction</th><th scope="col">Found</th></tr></thead>
<tbody>
% for one in listing.rows:
<tr><td><a href="/records/{{name}}/{{one.key}}"><code>{{one.key[:8]}}</code></a></td>
% for field in spec.fields:
% text = as_text(one.inputs.get(field, ""))
<td class="{{'text' if len(text) > 30 else ''}}">{{text if len(text) <= 200 else text[:199] + "…"}}</td>
% end
<td class="whole">{{one.label if one.label is not None else "–"}}</td>
<td class="whole">
% if one.answer:
{{one.answer}} <span class="soft whole">{{"%.0f %%" % (100 * (one.score or 0))}}</span>
% elif one.score is not None:
{{number(one.score)}}
% else:
<span class="soft">not yet</span>
% end
</td><td>
% if one.issue:
<span class="badge warn">label issue</span>
% end
% if one.group:
<a class="badge" href="/records/{{name}}?group={{one.group}}">duplicates</a>
% end
% if one.origin == "request":
<span class="badge">asked</span>
% end
</td></tr>
% end
</tbody></table></div>
% end
<nav class="pager" aria-label="Pages of this listing">
% if q.after:
<a href="{{q.path(name, after='')}}">First page</a>
% end
% if listing.after:
<a rel="next" href="{{q.path(name, after=listing.after)}}">Next page</a>
% end
<span class="soft">This page as <a href="{{q.path(name, format='json')}}">JSON</a>, <a href="{{q.path(name, format='csv')}}">CSV</a>; everything: <code>python -m db export {{name}}</code></span>
</nav>
