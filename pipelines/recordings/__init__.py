"""The forms in which recordings come: listing them, their headers, labels and samples."""
