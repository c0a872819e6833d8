% rebase('layout')
% if is_signed_in:
<h1>Signed in</h1>
<p>This browser is signed in.</p>
<form class="filter" method="post" action="/sign-out">
<button>Sign out</button>
</form>
% else:
<h1>Sign in</h1>
<p>These pages need a key: one of the <code>READ_KEYS</code> or <code>API_KEYS</code>.</p>
% if problem:
<p class="notice" role="alert">{{problem}}</p>
% end
<form class="filter" method="post" action="/key">
<input type="hidden" name="next" value="{{following}}">
<label><span>Key</span><input name="key" type="password" autocomplete="current-password" required autofocus></label>
<button>Continue</button>
</form>
% end
