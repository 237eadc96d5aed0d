include $(sort $(wildcard $(BR2_EXTERNAL_POSTROOM_PATH)/package/*/*.mk))
