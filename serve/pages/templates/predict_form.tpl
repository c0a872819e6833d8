% from serve.api.query import in_query
% from serve.pages.predict_form import form_fields, link_text
% name = served.name
<section class="predict-form" aria-label="Try {{name}}">
<form class="try" method="get" action="/try/{{name}}">
% for field in form_fields(served.spec, inputs):
<label><span>{{field.label}}</span>
% if field.kind == "select":
<select name="{{field.name}}">
% for option in field.options:
<option {{!"selected" if option == field.value else ""}} value="{{option}}">{{option or "(empty)"}}</option>
% end
</select>
% elif field.kind == "textarea":
<textarea name="{{field.name}}" rows="2" maxlength="{{field.most}}" {{!"required" if field.required else ""}}>{{field.value}}</textarea>
% else:
<input name="{{field.name}}" type="{{field.type}}" step="{{field.step}}" value="{{field.value}}" {{!'min="%s"' % field.least if field.least is not None else ""}} {{!'max="%s"' % field.most if field.most is not None else ""}} {{!"required" if field.required else ""}}>
% end
</label>
% end
<button>Predict {{served.spec.target}}</button>
</form>
% if examples:
<p class="examples">Examples:
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
