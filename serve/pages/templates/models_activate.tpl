% if model.active:
<p><span class="badge fine">{{_("active")}}</span> {{_("{version} gives the answers now.").format(version=f"{name}@{model.version}")}}</p>
% elif not model.kept:
<p class="soft">{{_("{version} cannot be activated: the store keeps only its scores.").format(version=f"{name}@{model.version}")}}</p>
% elif may_change:
<form method="post" action="/models/{{name}}/activate">
<input type="hidden" name="version" value="{{model.version}}">
<button>{{_("Activate {version}").format(version=f"{name}@{model.version}")}}</button>
</form>
% else:
<p class="soft"><a href="/key?next=/models/{{name}}/{{model.version}}">{{_("Sign in with an API key")}}</a> {{_("to activate {version} here, or run").format(version=f"{name}@{model.version}")}} <code>python -m enrich activate {{name}}@{{model.version}}</code></p>
% end
