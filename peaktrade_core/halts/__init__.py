"""What stops trading: trading states with their scopes, the kill switch, the account that sessions share."""
