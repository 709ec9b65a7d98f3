"""From a camera's pictures to face crops: frames, faces, tracks, best shots."""
