"""The process that holds the model: ids in, ids and text out. torch and transformers live here."""
