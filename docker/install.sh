#!/bin/sh
# Installs a lock file into /opt/venv, without what is never read at run time. Runs while the image is built.
set -eu
install() {
  pip3 --python /opt/venv/bin/python install --no-cache-dir --no-compile --disable-pip-version-check \
    --root-user-action=ignore --require-hashes "$@"
}

# A package without a wheel is built with the locked setuptools, so no download escapes the hashes.
awk '/^[^ #]/ { keep = /^(packaging|setuptools|wheel)==/ } keep' "$1" > /tmp/build-requirements.txt
install --requirement /tmp/build-requirements.txt
# The lock names every package. Left to look for dependencies, pip may prefer a version published since then for one that is
# asked for with an extra, and then refuses it for want of a hash.
install --no-deps --no-build-isolation --requirement "$1"

cd "$(/opt/venv/bin/python -c 'import site; print(site.getsitepackages()[0])')"
# C++ headers, which only compiling custom operations needs, and libclang, which TensorFlow's own build uses.
rm -rf tensorflow/include pyarrow/include pyarrow/src clang/native/*
# The test suites of the large packages; none is imported by the package itself.
for package in matplotlib numpy pandas pyarrow scipy sklearn statsmodels; do
  find "$package" -type d -name tests -prune -exec rm -rf {} +
done
# Bytecode that is not checked against file times stays valid in a copied layer, so every import is fast.
# A few files are templates, or for other versions of Python, and don't compile.
/opt/venv/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash . || true
