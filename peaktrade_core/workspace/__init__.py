"""The folder that everything lies in: where it is, its configuration, its clock."""
