"""What people read: figures, tables, generated pages."""
