% rebase('layout')
<h1>{{_("Try {dataset}").format(dataset=served.spec.title or served.name)}}</h1>
% if problem:
<p class="notice" role="alert">{{problem}}</p>
% end
% if answer and answer.is_provisional:
<noscript><p><a href="{{this_address}}">{{_("Reload to see whether the teacher has predicted it.")}}</a></p></noscript>
% end
% include('predict_form', served=served, inputs=inputs, examples=examples, answer=answer)
