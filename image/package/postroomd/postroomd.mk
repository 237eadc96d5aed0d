################################################################################
#
# postroomd
#
################################################################################

POSTROOMD_VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' $(BR2_EXTERNAL_POSTROOM_PATH)/../Cargo.toml | head -1)
POSTROOMD_SITE = $(BR2_EXTERNAL_POSTROOM_PATH)/..
POSTROOMD_SITE_METHOD = local
POSTROOMD_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS = --include=/LICENSE-* --include=/board --include=/board/** --exclude=*
POSTROOMD_LICENSE = Apache-2.0 or MIT
POSTROOMD_LICENSE_FILES = LICENSE-APACHE LICENSE-MIT

define POSTROOMD_INSTALL_TARGET_CMDS
	test -n "$(POSTROOM_DAEMON)" || { echo "POSTROOM_DAEMON does not name the daemon"; exit 1; }
	$(INSTALL) -D -m 0755 $(POSTROOM_DAEMON) $(TARGET_DIR)/sbin/postroomd
	ln -sf postroomd $(TARGET_DIR)/sbin/init
	mkdir -p $(TARGET_DIR)/boot
	ln -sf bzImage $(TARGET_DIR)/boot/vmlinuz
	mkdir -p $(TARGET_DIR)/data $(TARGET_DIR)/boot/esp $(TARGET_DIR)/etc/postroom/board
	$(INSTALL) -m 0644 $(@D)/board/*.toml $(TARGET_DIR)/etc/postroom/board/
	printf 'VERSION=%s\nBOARD=generic-x86-64\nBUILT=%s\nKERNEL=%s\n' \
		"$(POSTROOMD_VERSION)" "$${SOURCE_DATE_EPOCH:-0}" "$(BR2_LINUX_KERNEL_VERSION)" \
		> $(TARGET_DIR)/etc/postroom/release
endef

$(eval $(generic-package))
