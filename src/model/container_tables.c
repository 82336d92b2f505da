/* The field tables of model/container.h: one line a field, in the order of the API's answers. */
#include "model/container.h"

static const struct json_field container_config_fields[] = {
    JSON_FIELD(struct container_config, hostname, "Hostname", JSON_STR, 0),
    JSON_FIELD(struct container_config, domainname, "Domainname", JSON_STR, 0),
    JSON_FIELD(struct container_config, user, "User", JSON_STR, 0),
    JSON_FIELD(struct container_config, attach_stdin, "AttachStdin", JSON_BOOL, 0),
    JSON_FIELD(struct container_config, attach_stdout, "AttachStdout", JSON_BOOL, 0),
    JSON_FIELD(struct container_config, attach_stderr, "AttachStderr", JSON_BOOL, 0),
    JSON_FIELD(struct container_config, exposed_ports, "ExposedPorts", JSON_KEYS, JSON_OMIT),
    JSON_FIELD(struct container_config, tty, "Tty", JSON_BOOL, 0),
    JSON_FIELD(struct container_config, open_stdin, "OpenStdin", JSON_BOOL, 0),
    JSON_FIELD(struct container_config, stdin_once, "StdinOnce", JSON_BOOL, 0),
    JSON_FIELD(struct container_config, env, "Env", JSON_STRS, JSON_NULL_EMPTY),
    JSON_FIELD(struct container_config, cmd, "Cmd", JSON_STRS, JSON_NULL_EMPTY),
    JSON_FIELD_OF(struct container_config, healthcheck, "Healthcheck", JSON_OBJ_PTR, JSON_OMIT, &image_healthcheck_table),
    JSON_FIELD(struct container_config, args_escaped, "ArgsEscaped", JSON_BOOL, JSON_OMIT),
    JSON_FIELD(struct container_config, image, "Image", JSON_STR, 0),
    JSON_FIELD(struct container_config, volumes, "Volumes", JSON_KEYS, JSON_NULL_EMPTY),
    JSON_FIELD(struct container_config, working_dir, "WorkingDir", JSON_STR, 0),
    JSON_FIELD(struct container_config, entrypoint, "Entrypoint", JSON_STRS, JSON_NULL_EMPTY),
    JSON_FIELD(struct container_config, network_disabled, "NetworkDisabled", JSON_BOOL, JSON_OMIT),
    JSON_FIELD(struct container_config, mac_address, "MacAddress", JSON_STR, JSON_OMIT),
    JSON_FIELD(struct container_config, labels, "Labels", JSON_MAP, 0),
    JSON_FIELD(struct container_config, stop_signal, "StopSignal", JSON_STR, JSON_OMIT),
    JSON_FIELD(struct container_config, stop_timeout, "StopTimeout", JSON_OPT_I64, JSON_OMIT),
    JSON_FIELD(struct container_config, shell, "Shell", JSON_STRS, JSON_OMIT),
    JSON_END,
};
const struct json_table container_config_table = JSON_TABLE("config", struct container_config, container_config_fields);

static const struct json_field port_binding_fields[] = {
    JSON_FIELD(struct port_binding, host_ip, "HostIp", JSON_STR, 0),
    JSON_FIELD(struct port_binding, host_port, "HostPort", JSON_STR, 0),
    JSON_END,
};
const struct json_table port_binding_table = JSON_TABLE("port binding", struct port_binding, port_binding_fields);

static const struct json_field restart_rule_fields[] = {
    JSON_FIELD(struct restart_rule, name, "Name", JSON_STR, 0),
    JSON_FIELD(struct restart_rule, maximum_retry_count, "MaximumRetryCount", JSON_I32, 0),
    JSON_END,
};
const struct json_table restart_rule_table = JSON_TABLE("restart policy", struct restart_rule, restart_rule_fields);

static const struct json_field log_config_fields[] = {
    JSON_FIELD(struct log_config, type, "Type", JSON_STR, 0),
    JSON_FIELD(struct log_config, config, "Config", JSON_MAP, 0),
    JSON_END,
};
const struct json_table log_config_table = JSON_TABLE("log configuration", struct log_config, log_config_fields);

static const struct json_field device_mapping_fields[] = {
    JSON_FIELD(struct device_mapping, path_on_host, "PathOnHost", JSON_STR, 0),
    JSON_FIELD(struct device_mapping, path_in_container, "PathInContainer", JSON_STR, 0),
    JSON_FIELD(struct device_mapping, cgroup_permissions, "CgroupPermissions", JSON_STR, 0),
    JSON_END,
};
static const struct json_table device_mapping_table = JSON_TABLE("device", struct device_mapping, device_mapping_fields);

static const struct json_field device_request_fields[] = {
    JSON_FIELD(struct device_request, driver, "Driver", JSON_STR, 0),
    JSON_FIELD(struct device_request, count, "Count", JSON_I32, 0),
    JSON_FIELD(struct device_request, device_ids, "DeviceIDs", JSON_STRS, JSON_NULL_EMPTY),
    JSON_FIELD(struct device_request, capabilities, "Capabilities", JSON_RAW, 0),
    JSON_FIELD(struct device_request, options, "Options", JSON_MAP, 0),
    JSON_END,
};
static const struct json_table device_request_table = JSON_TABLE("device request", struct device_request, device_request_fields);

static const struct json_field secret_request_fields[] = {
    JSON_FIELD(struct secret_request, source, "Source", JSON_STR, JSON_REQUIRED),
    JSON_FIELD(struct secret_request, type, "Type", JSON_STR, 0),
    JSON_FIELD(struct secret_request, target, "Target", JSON_STR, 0),
    JSON_FIELD(struct secret_request, uid, "UID", JSON_U32, 0),
    JSON_FIELD(struct secret_request, gid, "GID", JSON_U32, 0),
    JSON_FIELD(struct secret_request, mode, "Mode", JSON_U32, 0),
    JSON_END,
};
static const struct json_table secret_request_table = JSON_TABLE("secret", struct secret_request, secret_request_fields);

static const struct json_field weight_device_fields[] = {
    JSON_FIELD(struct weight_device, path, "Path", JSON_STR, 0),
    JSON_FIELD(struct weight_device, weight, "Weight", JSON_U32, 0),
    JSON_END,
};
static const struct json_table weight_device_table = JSON_TABLE("weight", struct weight_device, weight_device_fields);

static const struct json_field throttle_device_fields[] = {
    JSON_FIELD(struct throttle_device, path, "Path", JSON_STR, 0),
    JSON_FIELD(struct throttle_device, rate, "Rate", JSON_U64, 0),
    JSON_END,
};
static const struct json_table throttle_device_table = JSON_TABLE("rate limit", struct throttle_device, throttle_device_fields);

static const struct json_field ulimit_fields[] = {
    JSON_FIELD(struct ulimit, name, "Name", JSON_STR, 0),
    JSON_FIELD(struct ulimit, hard, "Hard", JSON_I64, 0),
    JSON_FIELD(struct ulimit, soft, "Soft", JSON_I64, 0),
    JSON_END,
};
static const struct json_table ulimit_table = JSON_TABLE("ulimit", struct ulimit, ulimit_fields);

static const struct json_field bind_options_fields[] = {
    JSON_FIELD(struct bind_options, propagation, "Propagation", JSON_STR, JSON_OMIT),
    JSON_FIELD(struct bind_options, non_recursive, "NonRecursive", JSON_BOOL, JSON_OMIT),
    JSON_FIELD(struct bind_options, create_mountpoint, "CreateMountpoint", JSON_BOOL, JSON_OMIT),
    JSON_FIELD(struct bind_options, read_only_non_recursive, "ReadOnlyNonRecursive", JSON_BOOL, JSON_OMIT),
    JSON_FIELD(struct bind_options, read_only_force_recursive, "ReadOnlyForceRecursive", JSON_BOOL, JSON_OMIT),
    JSON_END,
};
static const struct json_table bind_options_table = JSON_TABLE("bind options", struct bind_options, bind_options_fields);

static const struct json_field volume_driver_config_fields[] = {
    JSON_FIELD(struct volume_driver_config, name, "Name", JSON_STR, JSON_OMIT),
    JSON_FIELD(struct volume_driver_config, options, "Options", JSON_MAP, JSON_OMIT),
    JSON_END,
};
static const struct json_table volume_driver_config_table =
    JSON_TABLE("driver configuration", struct volume_driver_config, volume_driver_config_fields);

static const struct json_field volume_options_fields[] = {
    JSON_FIELD(struct volume_options, no_copy, "NoCopy", JSON_BOOL, JSON_OMIT),
    JSON_FIELD(struct volume_options, labels, "Labels", JSON_MAP, JSON_OMIT),
    JSON_FIELD_OF(struct volume_options, driver_config, "DriverConfig", JSON_OBJ_PTR, JSON_OMIT, &volume_driver_config_table),
    JSON_FIELD(struct volume_options, subpath, "Subpath", JSON_STR, JSON_OMIT),
    JSON_END,
};
static const struct json_table volume_options_table = JSON_TABLE("volume options", struct volume_options, volume_options_fields);

static const struct json_field tmpfs_options_fields[] = {
    JSON_FIELD(struct tmpfs_options, size_bytes, "SizeBytes", JSON_I64, JSON_OMIT),
    JSON_FIELD(struct tmpfs_options, mode, "Mode", JSON_U32, JSON_OMIT),
    JSON_END,
};
static const struct json_table tmpfs_options_table = JSON_TABLE("tmpfs options", struct tmpfs_options, tmpfs_options_fields);

static const struct json_field image_mount_options_fields[] = {
    JSON_FIELD(struct image_mount_options, subpath, "Subpath", JSON_STR, JSON_OMIT),
    JSON_END,
};
static const struct json_table image_mount_options_table =
    JSON_TABLE("image options", struct image_mount_options, image_mount_options_fields);

static const struct json_field mount_request_fields[] = {
    JSON_FIELD(struct mount_request, type, "Type", JSON_STR, JSON_REQUIRED),
    JSON_FIELD(struct mount_request, source, "Source", JSON_STR, JSON_OMIT),
    JSON_FIELD(struct mount_request, target, "Target", JSON_STR, 0),
    JSON_FIELD(struct mount_request, read_only, "ReadOnly", JSON_BOOL, JSON_OMIT),
    JSON_FIELD(struct mount_request, consistency, "Consistency", JSON_STR, JSON_OMIT),
    JSON_FIELD_OF(struct mount_request, bind, "BindOptions", JSON_OBJ_PTR, JSON_OMIT, &bind_options_table),
    JSON_FIELD_OF(struct mount_request, volume, "VolumeOptions", JSON_OBJ_PTR, JSON_OMIT, &volume_options_table),
    JSON_FIELD_OF(struct mount_request, tmpfs, "TmpfsOptions", JSON_OBJ_PTR, JSON_OMIT, &tmpfs_options_table),
    JSON_FIELD_OF(struct mount_request, image, "ImageOptions", JSON_OBJ_PTR, JSON_OMIT, &image_mount_options_table),
    JSON_FIELD(struct mount_request, chown, "TareChown", JSON_BOOL, JSON_OMIT),
    JSON_FIELD(struct mount_request, idmap, "TareIdmap", JSON_BOOL, JSON_OMIT),
    JSON_END,
};
static const struct json_table mount_request_table = JSON_TABLE("mount", struct mount_request, mount_request_fields);

static const struct json_field host_config_fields[] = {
    JSON_FIELD(struct host_config, binds, "Binds", JSON_STRS, JSON_NULL_EMPTY),
    JSON_FIELD(struct host_config, container_id_file, "ContainerIDFile", JSON_STR, 0),
    JSON_FIELD_OF(struct host_config, log, "LogConfig", JSON_OBJ, 0, &log_config_table),
    JSON_FIELD(struct host_config, network_mode, "NetworkMode", JSON_STR, 0),
    JSON_FIELD_OF(struct host_config, port_bindings, "PortBindings", JSON_OBJ_LISTS, 0, &port_binding_table),
    JSON_FIELD_OF(struct host_config, restart, "RestartPolicy", JSON_OBJ, 0, &restart_rule_table),
    JSON_FIELD(struct host_config, auto_remove, "AutoRemove", JSON_BOOL, 0),
    JSON_FIELD(struct host_config, volume_driver, "VolumeDriver", JSON_STR, 0),
    JSON_FIELD(struct host_config, volumes_from, "VolumesFrom", JSON_STRS, JSON_NULL_EMPTY),
    JSON_FIELD_OF(struct host_config, mounts, "Mounts", JSON_OBJS, JSON_OMIT, &mount_request_table),
    JSON_FIELD(struct host_config, annotations, "Annotations", JSON_MAP, JSON_OMIT),
    JSON_FIELD(struct host_config, cap_add, "CapAdd", JSON_STRS, JSON_NULL_EMPTY),
    JSON_FIELD(struct host_config, cap_drop, "CapDrop", JSON_STRS, JSON_NULL_EMPTY),
    JSON_FIELD(struct host_config, cgroupns_mode, "CgroupnsMode", JSON_STR, 0),
    JSON_FIELD(struct host_config, dns, "Dns", JSON_STRS, 0),
    JSON_FIELD(struct host_config, dns_options, "DnsOptions", JSON_STRS, 0),
    JSON_FIELD(struct host_config, dns_search, "DnsSearch", JSON_STRS, 0),
    JSON_FIELD(struct host_config, extra_hosts, "ExtraHosts", JSON_STRS, JSON_NULL_EMPTY),
    JSON_FIELD(struct host_config, group_add, "GroupAdd", JSON_STRS, JSON_NULL_EMPTY),
    JSON_FIELD(struct host_config, ipc_mode, "IpcMode", JSON_STR, 0),
    JSON_FIELD(struct host_config, links, "Links", JSON_STRS, JSON_NULL_EMPTY),
    JSON_FIELD(struct host_config, oom_score_adj, "OomScoreAdj", JSON_I32, 0),
    JSON_FIELD(struct host_config, pid_mode, "PidMode", JSON_STR, 0),
    JSON_FIELD(struct host_config, privileged, "Privileged", JSON_BOOL, 0),
    JSON_FIELD(struct host_config, publish_all_ports, "PublishAllPorts", JSON_BOOL, 0),
    JSON_FIELD(struct host_config, readonly_rootfs, "ReadonlyRootfs", JSON_BOOL, 0),
    JSON_FIELD(struct host_config, security_opt, "SecurityOpt", JSON_STRS, JSON_NULL_EMPTY),
    JSON_FIELD(struct host_config, storage_opt, "StorageOpt", JSON_MAP, JSON_OMIT),
    JSON_FIELD(struct host_config, tmpfs, "Tmpfs", JSON_MAP, JSON_OMIT),
    JSON_FIELD(struct host_config, uts_mode, "UTSMode", JSON_STR, 0),
    JSON_FIELD(struct host_config, userns_mode, "UsernsMode", JSON_STR, 0),
    JSON_FIELD(struct host_config, shm_size, "ShmSize", JSON_I64, 0),
    JSON_FIELD(struct host_config, sysctls, "Sysctls", JSON_MAP, JSON_OMIT),
    JSON_FIELD(struct host_config, runtime, "Runtime", JSON_STR, 0),
    JSON_FIELD(struct host_config, cpu_shares, "CpuShares", JSON_I64, 0),
    JSON_FIELD(struct host_config, memory, "Memory", JSON_I64, 0),
    JSON_FIELD(struct host_config, nano_cpus, "NanoCpus", JSON_I64, 0),
    JSON_FIELD(struct host_config, cgroup_parent, "CgroupParent", JSON_STR, 0),
    JSON_FIELD(struct host_config, blkio_weight, "BlkioWeight", JSON_U32, 0),
    JSON_FIELD_OF(struct host_config, blkio_weight_device, "BlkioWeightDevice", JSON_OBJS, 0, &weight_device_table),
    JSON_FIELD_OF(struct host_config, blkio_read_bps, "BlkioDeviceReadBps", JSON_OBJS, 0, &throttle_device_table),
    JSON_FIELD_OF(struct host_config, blkio_write_bps, "BlkioDeviceWriteBps", JSON_OBJS, 0, &throttle_device_table),
    JSON_FIELD_OF(struct host_config, blkio_read_iops, "BlkioDeviceReadIOps", JSON_OBJS, 0, &throttle_device_table),
    JSON_FIELD_OF(struct host_config, blkio_write_iops, "BlkioDeviceWriteIOps", JSON_OBJS, 0, &throttle_device_table),
    JSON_FIELD(struct host_config, cpu_period, "CpuPeriod", JSON_I64, 0),
    JSON_FIELD(struct host_config, cpu_quota, "CpuQuota", JSON_I64, 0),
    JSON_FIELD(struct host_config, cpu_realtime_period, "CpuRealtimePeriod", JSON_I64, 0),
    JSON_FIELD(struct host_config, cpu_realtime_runtime, "CpuRealtimeRuntime", JSON_I64, 0),
    JSON_FIELD(struct host_config, cpuset_cpus, "CpusetCpus", JSON_STR, 0),
    JSON_FIELD(struct host_config, cpuset_mems, "CpusetMems", JSON_STR, 0),
    JSON_FIELD_OF(struct host_config, devices, "Devices", JSON_OBJS, 0, &device_mapping_table),
    JSON_FIELD(struct host_config, device_cgroup_rules, "DeviceCgroupRules", JSON_STRS, JSON_NULL_EMPTY),
    JSON_FIELD_OF(struct host_config, device_requests, "DeviceRequests", JSON_OBJS, JSON_NULL_EMPTY, &device_request_table),
    JSON_FIELD(struct host_config, memory_reservation, "MemoryReservation", JSON_I64, 0),
    JSON_FIELD(struct host_config, memory_swap, "MemorySwap", JSON_I64, 0),
    JSON_FIELD(struct host_config, memory_swappiness, "MemorySwappiness", JSON_OPT_I64, 0),
    JSON_FIELD(struct host_config, oom_kill_disable, "OomKillDisable", JSON_OPT_BOOL, 0),
    JSON_FIELD(struct host_config, pids_limit, "PidsLimit", JSON_OPT_I64, 0),
    JSON_FIELD_OF(struct host_config, ulimits, "Ulimits", JSON_OBJS, 0, &ulimit_table),
    JSON_FIELD(struct host_config, init, "Init", JSON_OPT_BOOL, JSON_OMIT),
    JSON_FIELD(struct host_config, masked_paths, "MaskedPaths", JSON_STRS, 0),
    JSON_FIELD(struct host_config, readonly_paths, "ReadonlyPaths", JSON_STRS, 0),
    JSON_FIELD(struct host_config, rootfs, "TareRootfs", JSON_STR, JSON_OMIT),
    JSON_FIELD(struct host_config, rootfs_writable, "TareRootfsWritable", JSON_BOOL, JSON_OMIT),
    JSON_FIELD(struct host_config, isolate, "TareIsolate", JSON_STRS, JSON_OMIT),
    JSON_FIELD(struct host_config, health_on_failure, "TareHealthOnFailure", JSON_STR, JSON_OMIT),
    JSON_FIELD(struct host_config, publish_mode, "TarePublishMode", JSON_STR, JSON_OMIT),
    JSON_FIELD_OF(struct host_config, secrets, "TareSecrets", JSON_OBJS, JSON_OMIT, &secret_request_table),
    JSON_FIELD(struct host_config, left_networks, "TareLeftNetworks", JSON_BOOL, JSON_OMIT),
    JSON_END,
};
const struct json_table host_config_table = JSON_TABLE("host config", struct host_config, host_config_fields);

static const struct json_field endpoint_ipam_fields[] = {
    JSON_FIELD(struct endpoint_ipam, ipv4, "IPv4Address", JSON_STR, JSON_OMIT),
    JSON_FIELD(struct endpoint_ipam, ipv6, "IPv6Address", JSON_STR, JSON_OMIT),
    JSON_FIELD(struct endpoint_ipam, link_local, "LinkLocalIPs", JSON_STRS, JSON_OMIT),
    JSON_END,
};
static const struct json_table endpoint_ipam_table = JSON_TABLE("IPAM configuration", struct endpoint_ipam, endpoint_ipam_fields);

static const struct json_field endpoint_settings_fields[] = {
    JSON_FIELD_OF(struct endpoint_settings, ipam, "IPAMConfig", JSON_OBJ_PTR, 0, &endpoint_ipam_table),
    JSON_FIELD(struct endpoint_settings, links, "Links", JSON_STRS, JSON_NULL_EMPTY),
    JSON_FIELD(struct endpoint_settings, aliases, "Aliases", JSON_STRS, JSON_NULL_EMPTY),
    JSON_FIELD(struct endpoint_settings, driver_opts, "DriverOpts", JSON_MAP, JSON_NULL_EMPTY),
    JSON_FIELD(struct endpoint_settings, gw_priority, "GwPriority", JSON_I64, 0),
    JSON_FIELD(struct endpoint_settings, network_id, "NetworkID", JSON_STR, 0),
    JSON_FIELD(struct endpoint_settings, endpoint_id, "EndpointID", JSON_STR, 0),
    JSON_FIELD(struct endpoint_settings, gateway, "Gateway", JSON_STR, 0),
    JSON_FIELD(struct endpoint_settings, ip_address, "IPAddress", JSON_STR, 0),
    JSON_FIELD(struct endpoint_settings, mac_address, "MacAddress", JSON_STR, 0),
    JSON_FIELD(struct endpoint_settings, ip_prefix_len, "IPPrefixLen", JSON_I64, 0),
    JSON_FIELD(struct endpoint_settings, ipv6_gateway, "IPv6Gateway", JSON_STR, 0),
    JSON_FIELD(struct endpoint_settings, global_ipv6_address, "GlobalIPv6Address", JSON_STR, 0),
    JSON_FIELD(struct endpoint_settings, global_ipv6_prefix_len, "GlobalIPv6PrefixLen", JSON_I64, 0),
    JSON_FIELD(struct endpoint_settings, dns_names, "DNSNames", JSON_STRS, JSON_NULL_EMPTY),
    JSON_END,
};
const struct json_table endpoint_settings_table = JSON_TABLE("endpoint", struct endpoint_settings, endpoint_settings_fields);

static const struct json_field networking_config_fields[] = {
    JSON_FIELD_OF(struct networking_config, endpoints, "EndpointsConfig", JSON_OBJ_MAP, 0, &endpoint_settings_table),
    JSON_END,
};
const struct json_table networking_config_table =
    JSON_TABLE("networking config", struct networking_config, networking_config_fields);

static const struct json_field mount_point_fields[] = {
    JSON_FIELD(struct mount_point, type, "Type", JSON_STR, 0),
    JSON_FIELD(struct mount_point, name, "Name", JSON_STR, JSON_OMIT),
    JSON_FIELD(struct mount_point, source, "Source", JSON_STR, 0),
    JSON_FIELD(struct mount_point, destination, "Destination", JSON_STR, 0),
    JSON_FIELD(struct mount_point, driver, "Driver", JSON_STR, JSON_OMIT),
    JSON_FIELD(struct mount_point, mode, "Mode", JSON_STR, 0),
    JSON_FIELD(struct mount_point, rw, "RW", JSON_BOOL, 0),
    JSON_FIELD(struct mount_point, propagation, "Propagation", JSON_STR, 0),
    JSON_FIELD(struct mount_point, anonymous, "TareAnonymous", JSON_BOOL, JSON_OMIT),
    JSON_FIELD(struct mount_point, no_copy, "TareNoCopy", JSON_BOOL, JSON_OMIT),
    JSON_FIELD(struct mount_point, non_recursive, "TareNonRecursive", JSON_BOOL, JSON_OMIT),
    JSON_FIELD(struct mount_point, read_only_non_recursive, "TareReadOnlyNonRecursive", JSON_BOOL, JSON_OMIT),
    JSON_FIELD(struct mount_point, read_only_recursive, "TareReadOnlyRecursive", JSON_BOOL, JSON_OMIT),
    JSON_FIELD(struct mount_point, create_source, "TareCreateSource", JSON_BOOL, JSON_OMIT),
    JSON_FIELD(struct mount_point, chown, "TareChown", JSON_BOOL, JSON_OMIT),
    JSON_FIELD(struct mount_point, idmap, "TareIdmap", JSON_BOOL, JSON_OMIT),
    JSON_FIELD(struct mount_point, overlay, "TareOverlay", JSON_BOOL, JSON_OMIT),
    JSON_FIELD(struct mount_point, subpath, "TareSubpath", JSON_STR, JSON_OMIT),
    JSON_FIELD(struct mount_point, options, "TareOptions", JSON_STR, JSON_OMIT),
    JSON_FIELD(struct mount_point, image, "TareImage", JSON_STR, JSON_OMIT),
    JSON_FIELD(struct mount_point, layers, "TareLayers", JSON_STRS, JSON_OMIT),
    JSON_END,
};
const struct json_table mount_point_table = JSON_TABLE("mount point", struct mount_point, mount_point_fields);

static const struct json_field adjustment_fields[] = {
    JSON_FIELD(struct adjustment, what, "What", JSON_STR, 0),
    JSON_FIELD(struct adjustment, asked, "Asked", JSON_STR, 0),
    JSON_FIELD(struct adjustment, got, "Got", JSON_STR, 0),
    JSON_END,
};
const struct json_table adjustment_table = JSON_TABLE("adjustment", struct adjustment, adjustment_fields);

static const struct json_field container_record_fields[] = {
    JSON_FIELD(struct container_record, format, "TareFormat", JSON_U32, 0),
    JSON_FIELD(struct container_record, id, "Id", JSON_STR, JSON_REQUIRED),
    JSON_FIELD(struct container_record, name, "Name", JSON_STR, JSON_REQUIRED),
    JSON_FIELD(struct container_record, created, "Created", JSON_STR, 0),
    JSON_FIELD(struct container_record, path, "Path", JSON_STR, 0),
    JSON_FIELD(struct container_record, args, "Args", JSON_STRS, 0),
    JSON_FIELD(struct container_record, image, "Image", JSON_STR, JSON_OMIT),
    JSON_FIELD(struct container_record, image_name, "ImageName", JSON_STR, JSON_OMIT),
    JSON_FIELD(struct container_record, layers, "Layers", JSON_STRS, JSON_OMIT),
    JSON_FIELD(struct container_record, platform, "Platform", JSON_STR, JSON_OMIT),
    JSON_FIELD_OF(struct container_record, config, "Config", JSON_OBJ, 0, &container_config_table),
    JSON_FIELD_OF(struct container_record, host, "HostConfig", JSON_OBJ, 0, &host_config_table),
    JSON_FIELD_OF(struct container_record, networking, "NetworkingConfig", JSON_OBJ, 0, &networking_config_table),
    JSON_FIELD_OF(struct container_record, mounts, "Mounts", JSON_OBJS, 0, &mount_point_table),
    JSON_FIELD_OF(struct container_record, adjustments, "Adjustments", JSON_OBJS, JSON_OMIT, &adjustment_table),
    JSON_FIELD(struct container_record, init, "Init", JSON_BOOL, JSON_OMIT),
    JSON_FIELD(struct container_record, own_files, "TareOwnFiles", JSON_BOOL, JSON_OMIT),
    JSON_END,
};
const struct json_table container_record_table = JSON_TABLE("container", struct container_record, container_record_fields);
