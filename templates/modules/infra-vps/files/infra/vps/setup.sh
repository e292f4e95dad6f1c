#!/bin/bash
# Prepare a new server with Debian 13 or Ubuntu 24.04 (or newer), as root. Running it again changes nothing.
#
#   ssh root@203.0.113.7 'bash -s' < infra/vps/setup.sh
#
# or give this file to your provider as user data: cloud-init runs it at the first start.
# Afterwards `deploy` comes in with the SSH keys that root had, and root does not any more.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive

apt-get update --quiet=2
compose=docker-compose-v2 # Ubuntu's name for it
apt-cache show "$compose" >/dev/null 2>&1 || compose=docker-compose
apt-get install --quiet=2 --yes docker.io "$compose" python3 ufw unattended-upgrades
docker compose version | grep -Eq 'v?([3-9]|2\.(1[7-9]|[2-9][0-9]))' || {
  echo "error: this system's Docker Compose is older than 2.17; use Debian 13 or Ubuntu 24.04, or newer" >&2
  exit 1
}

# Who deploys. Whoever may use Docker may do everything on this machine: give the key to few.
id deploy >/dev/null 2>&1 || useradd --create-home --shell /bin/bash deploy
usermod --append --groups docker deploy
install -d -m 700 -o deploy -g deploy /home/deploy/.ssh
if [ ! -s /home/deploy/.ssh/authorized_keys ]; then
  if [ ! -s /root/.ssh/authorized_keys ]; then
    echo "error: root has no SSH key here; add yours to /root/.ssh/authorized_keys, or you would lock yourself out" >&2
    exit 1
  fi
  install -m 600 -o deploy -g deploy /root/.ssh/authorized_keys /home/deploy/.ssh/authorized_keys
fi
install -d -m 750 -o deploy -g deploy /srv
cat >/etc/ssh/sshd_config.d/10-keys-only.conf <<'CONFIGURATION'
PasswordAuthentication no
PermitRootLogin no
CONFIGURATION
systemctl reload ssh

# SSH and the web. The application, its database and Caddy's orders are on 127.0.0.1 or inside Docker.
ufw allow 22/tcp
ufw allow 80/tcp
ufw allow 443
ufw --force enable

cat >/etc/apt/apt.conf.d/20auto-upgrades <<'CONFIGURATION'
APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "1";
CONFIGURATION

# When Caddy reloads, connections that wait to be accepted move to its new socket; otherwise they are reset.
echo "net.ipv4.tcp_migrate_req = 1" >/etc/sysctl.d/50-caddy.conf
sysctl --quiet --load /etc/sysctl.d/50-caddy.conf

# Pull requests are shown for so long, whoever forgets to end them.
cat >/usr/local/bin/sweep-previews <<'SCRIPT'
#!/bin/bash
for previews in /srv/*/previews/; do
  [ -d "$previews" ] || continue
  release=$(ls -td "${previews%previews/}"releases/*/ | head -n 1)
  python3 "${release}preview.py" sweep
done
SCRIPT
chmod 755 /usr/local/bin/sweep-previews
cat >/etc/systemd/system/sweep-previews.service <<'CONFIGURATION'
[Service]
Type=oneshot
User=deploy
ExecStart=/usr/local/bin/sweep-previews
CONFIGURATION
cat >/etc/systemd/system/sweep-previews.timer <<'CONFIGURATION'
[Timer]
OnCalendar=*:0/10
Persistent=true

[Install]
WantedBy=timers.target
CONFIGURATION
systemctl daemon-reload
systemctl enable --now --quiet sweep-previews.timer

echo "ready: infra/vps/ship.sh deploy@$(hostname -I | cut -d ' ' -f 1)"
