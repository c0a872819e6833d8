<h2>{{_("What is predicted")}}</h2>
<p><b>{{draft["target"]}}</b>: {{draft["words"]}}</p>
% if may_change:
<form method="post" action="/jobs/{{job.id}}/infer">
<label><span>{{_("Predict another column")}}</span><select name="target">
% for column in draft["names"][:most_targets]:
<option {{!"selected" if column == draft["target"] else ""}}>{{column}}</option>
% end
</select></label>
<button>{{_("Read the file again")}}</button>
</form>
% end
% checks = [*draft["notes"], *draft["warnings"]]
% if checks:
<h2>{{_("Please check")}}</h2>
<ul>
% for sentence in checks[:30]:
<li>{{sentence}}</li>
% end
</ul>
% end
<h2>{{_("Columns to predict from")}}</h2>
% if not may_change:
<p class="notice">{{_("Creating a dataset needs an API key.")}} <a href="/key?next={{quoted(here)}}">{{_("Sign in with a key from API_KEYS")}}</a></p>
% end
<form class="draft" method="post" action="/jobs/{{job.id}}/add">
<label><span>{{_("Name of the dataset: a-z, 0-9, - and _")}}</span><input name="name" value="{{dataset_name}}" pattern="[a-z][a-z0-9_\-]*" maxlength="40" required></label>
<div class="wide" tabindex="0" role="region" aria-label="{{_("Columns to predict from")}}"><table>
<thead><tr><th scope="col">{{_("Use")}}</th><th scope="col">{{_("Column")}}</th><th scope="col">{{_("Type")}}</th><th scope="col">{{_("What was found")}}</th></tr></thead>
<tbody>
% for column in columns:
<tr><td><input type="checkbox" name="use-{{column.number}}" aria-label="{{_("Use {column}").format(column=column.name)}}" {{!"checked" if column.is_used else ""}}></td><th scope="row">{{column.name}}</th>
<td><select name="type-{{column.number}}" aria-label="{{_("Type of {column}").format(column=column.name)}}">
% if column.can_be_id:
<option value="id" {{!"selected" if column.type == "id" else ""}}>{{_("row id")}}</option>
% end
% for kind, words in types.items():
<option value="{{kind}}" {{!"selected" if column.type == kind else ""}}>{{_(words)}}</option>
% end
</select></td><td class="soft">{{column.words}}</td></tr>
% end
</tbody></table></div>
% if len(draft["columns"]) > most_shown:
<p class="soft">{{_("The other {number} columns are used as they were found.").format(number=len(draft["columns"]) - most_shown)}}</p>
% end
% if may_change:
<button>{{_("Create, import and train")}}</button>
% end
</form>
<details><summary>{{_("The draft as a dataset file")}}</summary><pre tabindex="0">{{draft["toml"]}}</pre></details>
