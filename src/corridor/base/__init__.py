"""The cellar: small pure pieces that every floor above stands on."""
