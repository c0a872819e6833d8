"""What is asked: scenarios, the inputs they ask for, and Locust, which asks."""
