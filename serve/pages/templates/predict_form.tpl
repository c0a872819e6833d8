% from db.spec.dataset_spec import MAX_ROW_ID_CHARACTERS
% from serve.api.query import in_query
% from serve.pages.trying.predict_form import form_fields, link_text
% name, spec = served.name, served.spec
<section class="predict-form" aria-label="{{_("Try {dataset}").format(dataset=name)}}">
<form class="try" method="get" action="/try/{{name}}">
% for field in form_fields(spec, inputs):
<label><span>{{field.label}}</span>
% if field.kind == "select":
<select name="{{field.name}}">
% for option in field.options:
<option {{!"selected" if option == field.value else ""}} value="{{option}}">{{option or _("(empty)")}}</option>
% end
</select>
% elif field.kind == "textarea":
<textarea name="{{field.name}}" rows="2" maxlength="{{field.longest}}" {{!"required" if field.required else ""}}>{{field.value}}</textarea>
% else:
% limits = (("step", field.step), ("min", field.least), ("max", field.most), ("maxlength", field.longest or ""))
% list_id = f"{name}-{field.name}-choices" if field.options else ""
<input name="{{field.name}}" type="{{field.type}}" value="{{field.value}}"
% for attribute, value in (*limits, ("list", list_id)):
% if value != "":
{{attribute}}="{{value}}"
% end
% end
{{!"required" if field.required else ""}}>
% if field.options:
<datalist id="{{list_id}}">
% for option in field.options:
<option value="{{option}}"></option>
% end
</datalist>
% end
% end
</label>
% end
<button>{{_("Predict {target}").format(target=spec.target)}}</button>
</form>
% if spec.id:
<form class="look-up" method="get" action="/try/{{name}}">
<label><span>{{_("Or a row of the data, by its {id}").format(id=spec.id)}}</span><input name="{{spec.id}}" value="{{inputs.get(spec.id, inputs.get(spec.id_column, ""))}}" maxlength="{{MAX_ROW_ID_CHARACTERS}}" required></label>
<button>{{_("Look up")}}</button>
</form>
% end
% if examples:
<p class="examples">{{_("Examples:")}}
% for example in examples:
<a href="/try/{{name}}?{{in_query(example)}}">{{link_text(example)}}</a>
% end
</p>
% end
<div class="answer" aria-live="polite">
% if answer:
%   include('answer', answer=answer)
% end
</div>
</section>
