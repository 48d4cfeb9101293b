//! The kernel's numbers, from `include/uapi/linux/netfilter/nf_tables.h` unless another place is named. Part of
//! the kernel's ABI, so they never change.

/// Address family of a table for IPv4 and IPv6 (`NFPROTO_INET`).
pub const INET: u8 = 1;
/// `NFNL_SUBSYS_NFTABLES` (nfnetlink.h).
pub const SUBSYSTEM: u16 = 10;
/// `NFT_TABLE_F_OWNER`: the table belongs to the socket that made it, and is removed with it.
pub const TABLE_OWNER: u32 = 2;
/// `NFT_SET_INTERVAL`.
pub const SET_INTERVAL: u32 = 4;
/// `NFT_SET_ELEM_INTERVAL_END`: this element is the first address behind a range.
pub const INTERVAL_END: u32 = 1;
/// `NF_INET_PRE_ROUTING`, `NF_INET_LOCAL_IN`, `NF_INET_FORWARD`, `NF_INET_LOCAL_OUT` (netfilter.h).
pub const HOOK_PREROUTING: u32 = 0;
pub const HOOK_INPUT: u32 = 1;
pub const HOOK_FORWARD: u32 = 2;
pub const HOOK_OUTPUT: u32 = 3;
/// `NF_ACCEPT` (netfilter.h).
pub const ACCEPT: u32 = 1;

/// `NFT_MSG_*`; what is asked with GET is answered with NEW.
pub mod message {
    pub const NEW_TABLE: u16 = 0;
    pub const GET_TABLE: u16 = 1;
    pub const DELETE_TABLE: u16 = 2;
    pub const NEW_CHAIN: u16 = 3;
    pub const GET_CHAIN: u16 = 4;
    pub const DELETE_CHAIN: u16 = 5;
    pub const NEW_RULE: u16 = 6;
    pub const GET_RULE: u16 = 7;
    /// Without a handle: all rules of the chain.
    pub const DELETE_RULE: u16 = 8;
    pub const NEW_SET: u16 = 9;
    pub const GET_SET: u16 = 10;
    pub const DELETE_SET: u16 = 11;
    pub const NEW_ELEMENTS: u16 = 12;
    pub const GET_ELEMENTS: u16 = 13;
    pub const NEW_OBJECT: u16 = 18;
    pub const GET_OBJECT: u16 = 19;
    pub const DELETE_OBJECT: u16 = 20;
}

/// `NFTA_TABLE_*`
pub mod table {
    pub const NAME: u16 = 1;
    pub const FLAGS: u16 = 2;
    pub const HANDLE: u16 = 4;
    pub const OWNER: u16 = 7;
}

/// `NFTA_CHAIN_*` and `NFTA_HOOK_*`
pub mod chain {
    pub const TABLE: u16 = 1;
    pub const NAME: u16 = 3;
    pub const HOOK: u16 = 4;
    pub const POLICY: u16 = 5;
    pub const TYPE: u16 = 7;
    pub const HOOK_NUMBER: u16 = 1;
    pub const HOOK_PRIORITY: u16 = 2;
}

/// `NFTA_RULE_*`
pub mod rule {
    pub const TABLE: u16 = 1;
    pub const CHAIN: u16 = 2;
    pub const EXPRESSIONS: u16 = 4;
}

/// `NFTA_SET_*`
pub mod set {
    pub const TABLE: u16 = 1;
    pub const NAME: u16 = 2;
    pub const FLAGS: u16 = 3;
    pub const KEY_TYPE: u16 = 4;
    pub const KEY_LENGTH: u16 = 5;
    pub const ID: u16 = 10;
}

/// `NFTA_SET_ELEM_LIST_*` and `NFTA_SET_ELEM_*`
pub mod elements {
    pub const TABLE: u16 = 1;
    pub const SET: u16 = 2;
    pub const LIST: u16 = 3;
    pub const KEY: u16 = 1;
    pub const FLAGS: u16 = 3;
}

/// `NFTA_OBJ_*`, and of a counter's data `NFTA_COUNTER_*`
pub mod object {
    pub const TABLE: u16 = 1;
    pub const NAME: u16 = 2;
    pub const TYPE: u16 = 3;
    pub const DATA: u16 = 4;
    /// `NFT_OBJECT_COUNTER`
    pub const COUNTER: u32 = 1;
    pub const COUNTED_BYTES: u16 = 1;
    pub const COUNTED_PACKETS: u16 = 2;
}

/// `NFTA_LIST_ELEM`: an item of any list.
pub const ITEM: u16 = 1;

/// `NFTA_DATA_*` and `NFTA_VERDICT_*`
pub mod data {
    pub const VALUE: u16 = 1;
    pub const VERDICT: u16 = 2;
    pub const VERDICT_CODE: u16 = 1;
    pub const VERDICT_CHAIN: u16 = 2;
    /// `NF_ACCEPT` (netfilter.h)
    pub const ACCEPT: i32 = 1;
    /// `NFT_JUMP`
    /// `NF_DROP` (netfilter.h)
    pub const DROP: i32 = 0;
    pub const JUMP: i32 = -3;
    /// `NFT_RETURN`
    pub const RETURN: i32 = -5;
}

/// How nft prints a set's keys. From nft's own include/datatype.h; the kernel keeps it unread.
pub mod datatype {
    pub const IPV4_ADDRESS: u32 = 7;
    pub const IPV6_ADDRESS: u32 = 8;
    pub const PORT: u32 = 13;
    /// Bits of each part of a concatenated type.
    pub const BITS: u32 = 6;
}

/// Registers: one of 16 bytes, which is also the first four of 4 bytes.
pub mod register {
    /// `NFT_REG_VERDICT`
    pub const VERDICT: u32 = 0;
    /// `NFT_REG_1`, all 16 bytes.
    pub const FIRST: u32 = 1;
    /// `NFT_REG_2`
    pub const SECOND: u32 = 2;
    /// `NFT_REG32_00`, the first 4 bytes of [`FIRST`].
    pub const WORDS: u32 = 8;
}

/// Names and attributes of the expressions: `NFTA_EXPR_*` and each one's own.
pub mod expression {
    pub const NAME: u16 = 1;
    pub const DATA: u16 = 2;

    pub const META_REGISTER: u16 = 1;
    pub const META_KEY: u16 = 2;
    pub const META_MARK: u32 = 3;
    pub const META_INTERFACE: u32 = 4;
    pub const META_CAME_BY: u32 = 6;
    pub const META_LEAVES_BY: u32 = 7;
    pub const META_USER: u32 = 10;
    pub const META_GROUP: u32 = 11;
    pub const META_FAMILY: u32 = 15;
    pub const META_PROTOCOL: u32 = 16;

    pub const PAYLOAD_REGISTER: u16 = 1;
    pub const PAYLOAD_BASE: u16 = 2;
    pub const PAYLOAD_OFFSET: u16 = 3;
    pub const PAYLOAD_LENGTH: u16 = 4;
    pub const NETWORK_HEADER: u32 = 1;
    pub const TRANSPORT_HEADER: u32 = 2;

    pub const COMPARE_REGISTER: u16 = 1;
    pub const COMPARE_OPERATION: u16 = 2;
    pub const COMPARE_DATA: u16 = 3;
    pub const EQUAL: u32 = 0;
    pub const NOT_EQUAL: u32 = 1;

    pub const RANGE_REGISTER: u16 = 1;
    pub const RANGE_OPERATION: u16 = 2;
    pub const RANGE_FROM: u16 = 3;
    pub const RANGE_TO: u16 = 4;

    pub const BITWISE_SOURCE: u16 = 1;
    pub const BITWISE_TARGET: u16 = 2;
    pub const BITWISE_LENGTH: u16 = 3;
    pub const BITWISE_MASK: u16 = 4;
    pub const BITWISE_XOR: u16 = 5;

    pub const LOOKUP_SET: u16 = 1;
    pub const LOOKUP_REGISTER: u16 = 2;

    pub const FIB_REGISTER: u16 = 1;
    pub const FIB_RESULT: u16 = 2;
    pub const FIB_FLAGS: u16 = 3;
    /// `NFT_FIB_RESULT_ADDRTYPE`
    pub const FIB_ADDRESS_TYPE: u32 = 3;
    /// `NFTA_FIB_F_DADDR`
    pub const FIB_DESTINATION: u32 = 2;
    /// `RTN_LOCAL`, `RTN_BROADCAST`, `RTN_MULTICAST` (rtnetlink.h)
    pub const LOCAL: u32 = 2;
    pub const BROADCAST: u32 = 3;
    pub const MULTICAST: u32 = 5;

    pub const SOCKET_KEY: u16 = 1;
    pub const SOCKET_REGISTER: u16 = 2;
    pub const SOCKET_LEVEL: u16 = 3;
    /// `NFT_SOCKET_CGROUPV2`
    pub const SOCKET_CGROUP: u32 = 3;

    pub const CT_REGISTER: u16 = 1;
    pub const CT_KEY: u16 = 2;
    pub const CT_STATE: u32 = 0;
    pub const CT_DIRECTION: u32 = 1;
    pub const CT_STATUS: u32 = 2;
    /// `IP_CT_DIR_REPLY` (`nf_conntrack_tuple_common.h`)
    pub const REPLY: u8 = 1;
    /// `NF_CT_STATE_BIT(IP_CT_ESTABLISHED)`, `NF_CT_STATE_BIT(IP_CT_RELATED)` (`nf_conntrack_common.h`)
    pub const STATE_ESTABLISHED: u32 = 1 << 1;
    pub const STATE_RELATED: u32 = 1 << 2;
    /// `IPS_DST_NAT` (`nf_conntrack_common.h`)
    pub const STATUS_DNAT: u32 = 1 << 5;

    pub const REJECT_TYPE: u16 = 1;
    pub const REJECT_CODE: u16 = 2;
    /// `NFT_REJECT_TCP_RST`, `NFT_REJECT_ICMPX_UNREACH` with `NFT_REJECT_ICMPX_ADMIN_PROHIBITED`
    pub const REJECT_RESET: u32 = 1;
    pub const REJECT_ICMPX: u32 = 2;
    pub const REJECT_PROHIBITED: u8 = 3;

    pub const IMMEDIATE_REGISTER: u16 = 1;
    pub const IMMEDIATE_DATA: u16 = 2;

    /// `NFTA_OBJREF_IMM_*`
    pub const OBJECT_TYPE: u16 = 1;
    pub const OBJECT_NAME: u16 = 2;

    pub const REDIRECT_FIRST: u16 = 1;
    pub const REDIRECT_LAST: u16 = 2;
}

/// `IPPROTO_ICMP`, `IPPROTO_TCP`, `IPPROTO_UDP`, `IPPROTO_ICMPV6` (in.h, in6.h)
pub const ICMP: u8 = 1;
pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
pub const ICMPV6: u8 = 58;
/// `NFPROTO_IPV4`, `NFPROTO_IPV6` (netfilter.h)
pub const IPV4: u8 = 2;
pub const IPV6: u8 = 10;
/// `AF_UNSPEC` (socket.h)
pub const ANY_FAMILY: u8 = 0;

/// `IPCTNL_MSG_CT_*` and `CTA_*` (`nfnetlink_conntrack.h`), and the subsystem's number (nfnetlink.h).
pub mod ct {
    pub const SUBSYSTEM: u16 = 1;
    pub const GET: u16 = 1;
    pub const DELETE: u16 = 2;
    pub const GET_STATS: u16 = 5;
    /// `CTA_STATS_GLOBAL_ENTRIES`
    pub const ENTRIES: u16 = 1;
    /// `CTA_TUPLE_ORIG`, `CTA_TUPLE_REPLY`: addresses and ports of the first packet, and of answers to it.
    pub const ORIGINAL: u16 = 1;
    pub const REPLY: u16 = 2;
    pub const STATUS: u16 = 3;
    pub const PROTOCOL_STATE: u16 = 4;
    pub const ID: u16 = 12;
    pub const ZONE: u16 = 18;
    pub const STATUS_MASK: u16 = 26;
    /// `IPS_SEEN_REPLY` (`nf_conntrack_common.h`)
    pub const SEEN_REPLY: u32 = 2;
    /// In a tuple: `CTA_TUPLE_IP` with `CTA_IP_V4_DST` and `CTA_IP_V6_DST`; `CTA_TUPLE_PROTO` with `CTA_PROTO_*`.
    pub const ADDRESSES: u16 = 1;
    pub const DESTINATION_V4: u16 = 2;
    pub const DESTINATION_V6: u16 = 4;
    pub const PROTOCOL: u16 = 2;
    pub const PROTOCOL_NUMBER: u16 = 1;
    pub const SOURCE_PORT: u16 = 2;
    pub const DESTINATION_PORT: u16 = 3;
    /// In the protocol's state: `CTA_PROTOINFO_TCP`, and in that `CTA_PROTOINFO_TCP_STATE`.
    pub const TCP: u16 = 1;
    pub const TCP_STATE: u16 = 1;
    /// `TCP_CONNTRACK_*` (`nf_conntrack_tcp.h`); the last is what older kernels call LISTEN.
    pub const SYN_SENT: u8 = 1;
    pub const SYN_RECEIVED: u8 = 2;
    pub const LAST_ACK: u8 = 6;
    pub const CLOSE: u8 = 8;
    pub const BOTH_SENT: u8 = 9;
}

/// Links, routes and rules of routing (rtnetlink.h, `if_link.h`, `fib_rules.h`).
pub mod route {
    /// `RTM_*`
    pub const NEW_LINK: u16 = 16;
    pub const DELETE_LINK: u16 = 17;
    pub const GET_LINK: u16 = 18;
    pub const NEW_ADDRESS: u16 = 20;
    pub const NEW_ROUTE: u16 = 24;
    pub const DELETE_ROUTE: u16 = 25;
    pub const GET_ROUTE: u16 = 26;
    pub const NEW_RULE: u16 = 32;
    pub const DELETE_RULE: u16 = 33;
    pub const GET_RULE: u16 = 34;
    /// `IFLA_*`
    pub const LINK_NAME: u16 = 3;
    pub const LINK_MTU: u16 = 4;
    pub const LINK_FAMILIES: u16 = 26;
    /// `IFLA_INET_CONF`, and in it `IPV4_DEVCONF_RP_FILTER` (ip.h)
    pub const V4_SETTINGS: u16 = 1;
    pub const REVERSE_PATH: u16 = 8;
    /// `IFLA_INET6_ADDR_GEN_MODE`, and `IN6_ADDR_GEN_MODE_NONE`
    pub const V6_ADDRESSES: u16 = 8;
    pub const NO_ADDRESSES: u8 = 1;
    /// `IFF_UP` (if.h)
    pub const UP: u32 = 1;
    /// `RTA_*`
    pub const DESTINATION: u16 = 1;
    pub const DEVICE: u16 = 4;
    pub const TABLE: u16 = 15;
    /// `RTN_UNICAST`, `RTN_THROW`
    pub const UNICAST: u8 = 1;
    pub const THROW: u8 = 9;
    /// `RTPROT_KERNEL`, `RTPROT_STATIC`
    pub const BY_KERNEL: u8 = 2;
    pub const STATIC: u8 = 4;
    /// `IFA_ADDRESS`, `IFA_LOCAL` (`if_addr.h`)
    pub const ADDRESS: u16 = 1;
    pub const LOCAL: u16 = 2;
    /// `RT_SCOPE_HOST`, `RT_SCOPE_UNIVERSE`, `RT_SCOPE_LINK`
    pub const HOST: u8 = 254;
    pub const UNIVERSE: u8 = 0;
    pub const LINK: u8 = 253;
    /// `RT_TABLE_MAIN`
    pub const MAIN: u32 = 254;
    /// `FRA_*`
    pub const GOTO: u16 = 4;
    pub const PRIORITY: u16 = 6;
    pub const MARK: u16 = 10;
    pub const RULE_TABLE: u16 = 15;
    pub const MARK_MASK: u16 = 16;
    pub const USERS: u16 = 20;
    pub const MAKER: u16 = 21;
    pub const IP_PROTOCOL: u16 = 22;
    /// `FR_ACT_TO_TBL`, `FR_ACT_GOTO`, `FR_ACT_NOP`
    pub const LOOK_UP: u8 = 1;
    pub const JUMP: u8 = 2;
    pub const NOTHING: u8 = 3;
}
