"""Sources of signatures: swagger and OpenAPI, the metadata of KServe V2, files of ONNX."""
