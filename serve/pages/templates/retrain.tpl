% if may_change:
<form method="post" action="/jobs/train/{{name}}" data-new-page>
<button>{{_("Retrain") if has_model else _("Train")}}</button>
</form>
% else:
<p class="soft">{{_("To train, run")}} <code>python -m enrich train {{name}}</code></p>
% end
