% rebase('layout')
% from db.spec.dataset_spec import MAX_ROW_ID_CHARACTERS
% from serve.api.query import as_text
% from serve.pages.formatting import label_text, labels_text, number
% chosen, name, spec = query.filter, served.name, served.spec
% regression = spec.kind == "regression"
<h1>{{spec.title or name}}: records</h1>
% if any(row.held_out for row in listing.rows):
<p class="soft">For labelled records this shows the out-of-fold prediction: the teacher that made it was trained without their labels.</p>
% end
% if any(len(row.labels) > 1 for row in listing.rows):
<p class="soft">A record has the rows of the data with the same inputs, so it may have several labels. A listing goes by their {{"mean" if regression else "most frequent one"}}.</p>
% end
<form class="filter" method="get" action="/records/{{name}}">
<label><span>Show</span><select name="show">
% for show, text in titles.items():
% if spec.kind == "classification" or show not in ("uncertain", "issues"):
<option value="{{show}}" {{!"selected" if show == chosen.show else ""}}>{{text}}</option>
% end
% end
</select></label>
% if spec.kind == "classification":
% for parameter, text, value in (("label", "Label", chosen.label), ("prediction", "Prediction", chosen.prediction)):
<label><span>{{text}}</span><select name="{{parameter}}"><option value="">any</option>
% for label in dict.fromkeys([*labels, *([value] if value else [])]):
<option {{!"selected" if label == value else ""}}>{{label}}</option>
% end
</select></label>
% end
% end
% if chosen.group:
<label><span>Group</span><input name="group" value="{{chosen.group}}"></label>
% end
<button>Filter</button>
</form>
% if spec.id:
<form class="look-up" method="get" action="/records/{{name}}">
<label><span>Row, by its {{spec.id}}</span><input name="row" value="{{query.row}}" maxlength="{{MAX_ROW_ID_CHARACTERS}}" required></label>
<button>Find row</button>
</form>
% end
% if not listing.rows:
% if query.row:
<p class="notice" role="alert">No row has the {{spec.id}} {{query.row}}.</p>
% else:
<p>{{"No matching records on this page; the next page continues the search." if listing.after else "There are no such records."}}</p>
% end
% else:
<div class="wide" tabindex="0" role="region" aria-label="Records of {{name}}"><table>
<caption class="quiet">{{titles[chosen.show]}}</caption>
<thead><tr><th scope="col">Key</th>
% for field in spec.fields:
<th scope="col">{{field}}</th>
% end
<th scope="col">{{spec.target}}</th><th scope="col">Prediction</th><th scope="col">Findings</th></tr></thead>
<tbody>
% for row in listing.rows:
<tr><td><a href="/records/{{name}}/{{row.key}}"><code>{{row.key[:8]}}</code></a></td>
% for field in spec.fields:
% text = as_text(row.inputs.get(field))
% if text:
<td class="{{'text' if len(text) > 30 else ''}}">{{text if len(text) <= 200 else text[:199] + "…"}}</td>
% else:
<td><span class="soft">–</span></td>
% end
% end
% short, full = labels_text(row.labels, regression=regression) if row.labels else (label_text(row.label, regression=regression), "")
% if short == full or not full:
<td class="whole">{{short}}</td>
% else:
<td title="{{full}}">{{short}}</td>
% end
<td class="whole">
% if row.answer:
{{row.answer}} <span class="soft whole">{{"%.0f %%" % (100 * (row.score or 0))}}</span>
% elif row.score is not None:
{{number(row.score)}}
% else:
<span class="soft">not yet</span>
% end
</td><td>
% if row.issue:
<span class="badge warn">label issue</span>
% end
% if row.group:
<a class="badge" href="/records/{{name}}?group={{row.group}}">duplicates</a>
% end
% if row.origin == "request":
<span class="badge">from a request</span>
% end
</td></tr>
% end
</tbody></table></div>
% end
<nav class="pager" aria-label="Pages of this listing">
% if query.row:
<a href="/records/{{name}}">All records</a>
% end
% if query.after:
<a href="{{query.path(name, after='')}}">First page</a>
% end
% if listing.after:
<a rel="next" href="{{query.path(name, after=listing.after)}}">Next page</a>
% end
<span class="soft">This page as <a href="{{query.path(name, format='json')}}">JSON</a>, <a href="{{query.path(name, format='csv')}}">CSV</a>; all records: <code>python -m db export {{name}}</code></span>
</nav>
