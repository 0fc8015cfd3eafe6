# The real file makes the extension's modules known to other extensions; here it only notes that
# it was included, which the tests look for.
set(Fake_GENERATED_CONFIG TRUE)
