"""Parts for tersgen and ters_train, as a stranger would write them."""
