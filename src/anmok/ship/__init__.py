"""What leaves the house: a run as one file that answers without torch, and proves it answers the same.

artefact, container, hostile   the file: what is in it, its seal, what is refused
runtime, engines, answers/     answering with it: NumPy and ONNX Runtime or OpenVINO, never torch
graph, gate, odd_pictures      making it: torch to ONNX, and the comparison that it must pass
"""
