// A one-time link signs in at once; without a script its button does.
document.querySelector("form[data-submit-at-once]")?.requestSubmit();
