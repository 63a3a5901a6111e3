"""Publication of finished models: model files, model card and Hub upload."""
