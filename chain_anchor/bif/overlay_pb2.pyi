from chain_anchor.bif import chain_pb2 as _chain_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class WsMessage(_message.Message):
    __slots__ = ("type", "request", "sequence", "data")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    type: int
    request: bool
    sequence: int
    data: bytes
    def __init__(self, type: _Optional[int] = ..., request: bool = ..., sequence: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...

class Ping(_message.Message):
    __slots__ = ("nonce",)
    NONCE_FIELD_NUMBER: _ClassVar[int]
    nonce: int
    def __init__(self, nonce: _Optional[int] = ...) -> None: ...

class Pong(_message.Message):
    __slots__ = ("nonce",)
    NONCE_FIELD_NUMBER: _ClassVar[int]
    nonce: int
    def __init__(self, nonce: _Optional[int] = ...) -> None: ...

class ChainHello(_message.Message):
    __slots__ = ("api_list", "timestamp")
    API_LIST_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    api_list: _containers.RepeatedScalarFieldContainer[int]
    timestamp: int
    def __init__(self, api_list: _Optional[_Iterable[int]] = ..., timestamp: _Optional[int] = ...) -> None: ...

class ChainStatus(_message.Message):
    __slots__ = ("self_addr", "ledger_version", "monitor_version", "chain_version", "timestamp", "network_id", "chain_code", "address_prefix")
    SELF_ADDR_FIELD_NUMBER: _ClassVar[int]
    LEDGER_VERSION_FIELD_NUMBER: _ClassVar[int]
    MONITOR_VERSION_FIELD_NUMBER: _ClassVar[int]
    CHAIN_VERSION_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    NETWORK_ID_FIELD_NUMBER: _ClassVar[int]
    CHAIN_CODE_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_PREFIX_FIELD_NUMBER: _ClassVar[int]
    self_addr: str
    ledger_version: int
    monitor_version: int
    chain_version: str
    timestamp: int
    network_id: int
    chain_code: str
    address_prefix: str
    def __init__(self, self_addr: _Optional[str] = ..., ledger_version: _Optional[int] = ..., monitor_version: _Optional[int] = ..., chain_version: _Optional[str] = ..., timestamp: _Optional[int] = ..., network_id: _Optional[int] = ..., chain_code: _Optional[str] = ..., address_prefix: _Optional[str] = ...) -> None: ...

class ChainTxStatus(_message.Message):
    __slots__ = ("status", "tx_hash", "source_address", "source_account_seq", "ledger_seq", "new_account_seq", "error_code", "error_desc", "timestamp")
    class TxStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        UNDEFINED: _ClassVar[ChainTxStatus.TxStatus]
        CONFIRMED: _ClassVar[ChainTxStatus.TxStatus]
        PENDING: _ClassVar[ChainTxStatus.TxStatus]
        COMPLETE: _ClassVar[ChainTxStatus.TxStatus]
        FAILURE: _ClassVar[ChainTxStatus.TxStatus]
        APPLY_FAILURE: _ClassVar[ChainTxStatus.TxStatus]
    UNDEFINED: ChainTxStatus.TxStatus
    CONFIRMED: ChainTxStatus.TxStatus
    PENDING: ChainTxStatus.TxStatus
    COMPLETE: ChainTxStatus.TxStatus
    FAILURE: ChainTxStatus.TxStatus
    APPLY_FAILURE: ChainTxStatus.TxStatus
    STATUS_FIELD_NUMBER: _ClassVar[int]
    TX_HASH_FIELD_NUMBER: _ClassVar[int]
    SOURCE_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_ACCOUNT_SEQ_FIELD_NUMBER: _ClassVar[int]
    LEDGER_SEQ_FIELD_NUMBER: _ClassVar[int]
    NEW_ACCOUNT_SEQ_FIELD_NUMBER: _ClassVar[int]
    ERROR_CODE_FIELD_NUMBER: _ClassVar[int]
    ERROR_DESC_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    status: ChainTxStatus.TxStatus
    tx_hash: str
    source_address: str
    source_account_seq: int
    ledger_seq: int
    new_account_seq: int
    error_code: int
    error_desc: str
    timestamp: int
    def __init__(self, status: _Optional[_Union[ChainTxStatus.TxStatus, str]] = ..., tx_hash: _Optional[str] = ..., source_address: _Optional[str] = ..., source_account_seq: _Optional[int] = ..., ledger_seq: _Optional[int] = ..., new_account_seq: _Optional[int] = ..., error_code: _Optional[int] = ..., error_desc: _Optional[str] = ..., timestamp: _Optional[int] = ...) -> None: ...

class ChainResponse(_message.Message):
    __slots__ = ("error_code", "error_desc")
    ERROR_CODE_FIELD_NUMBER: _ClassVar[int]
    ERROR_DESC_FIELD_NUMBER: _ClassVar[int]
    error_code: int
    error_desc: str
    def __init__(self, error_code: _Optional[int] = ..., error_desc: _Optional[str] = ...) -> None: ...

class ChainSubscribeTx(_message.Message):
    __slots__ = ("address",)
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    address: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, address: _Optional[_Iterable[str]] = ...) -> None: ...

class TransactionEnvResult(_message.Message):
    __slots__ = ("tran_env", "tx_hash", "error_code", "error_desc", "ledger_seq", "close_time", "actual_fee", "contract_tx_hashes")
    TRAN_ENV_FIELD_NUMBER: _ClassVar[int]
    TX_HASH_FIELD_NUMBER: _ClassVar[int]
    ERROR_CODE_FIELD_NUMBER: _ClassVar[int]
    ERROR_DESC_FIELD_NUMBER: _ClassVar[int]
    LEDGER_SEQ_FIELD_NUMBER: _ClassVar[int]
    CLOSE_TIME_FIELD_NUMBER: _ClassVar[int]
    ACTUAL_FEE_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_TX_HASHES_FIELD_NUMBER: _ClassVar[int]
    tran_env: _chain_pb2.TransactionEnv
    tx_hash: str
    error_code: int
    error_desc: str
    ledger_seq: int
    close_time: int
    actual_fee: int
    contract_tx_hashes: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, tran_env: _Optional[_Union[_chain_pb2.TransactionEnv, _Mapping]] = ..., tx_hash: _Optional[str] = ..., error_code: _Optional[int] = ..., error_desc: _Optional[str] = ..., ledger_seq: _Optional[int] = ..., close_time: _Optional[int] = ..., actual_fee: _Optional[int] = ..., contract_tx_hashes: _Optional[_Iterable[bytes]] = ...) -> None: ...

class LedgerTxs(_message.Message):
    __slots__ = ("header", "txs", "ledger_length")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    TXS_FIELD_NUMBER: _ClassVar[int]
    LEDGER_LENGTH_FIELD_NUMBER: _ClassVar[int]
    header: _chain_pb2.LedgerHeader
    txs: _containers.RepeatedCompositeFieldContainer[TransactionEnvResult]
    ledger_length: int
    def __init__(self, header: _Optional[_Union[_chain_pb2.LedgerHeader, _Mapping]] = ..., txs: _Optional[_Iterable[_Union[TransactionEnvResult, _Mapping]]] = ..., ledger_length: _Optional[int] = ...) -> None: ...

class TlogSubscribeRequest(_message.Message):
    __slots__ = ("address", "topics")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    TOPICS_FIELD_NUMBER: _ClassVar[int]
    address: str
    topics: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, address: _Optional[str] = ..., topics: _Optional[_Iterable[str]] = ...) -> None: ...

class Tlog(_message.Message):
    __slots__ = ("topic", "tlog", "timestamp")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    TLOG_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    topic: str
    tlog: _containers.RepeatedScalarFieldContainer[str]
    timestamp: int
    def __init__(self, topic: _Optional[str] = ..., tlog: _Optional[_Iterable[str]] = ..., timestamp: _Optional[int] = ...) -> None: ...

class TlogSubscribeResponse(_message.Message):
    __slots__ = ("address", "tlogs")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    TLOGS_FIELD_NUMBER: _ClassVar[int]
    address: str
    tlogs: _containers.RepeatedCompositeFieldContainer[Tlog]
    def __init__(self, address: _Optional[str] = ..., tlogs: _Optional[_Iterable[_Union[Tlog, _Mapping]]] = ...) -> None: ...

class TxSubscribeRequest(_message.Message):
    __slots__ = ("status",)
    class Status(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        SUCCESS: _ClassVar[TxSubscribeRequest.Status]
        DROP_QUEUE: _ClassVar[TxSubscribeRequest.Status]
    SUCCESS: TxSubscribeRequest.Status
    DROP_QUEUE: TxSubscribeRequest.Status
    STATUS_FIELD_NUMBER: _ClassVar[int]
    status: TxSubscribeRequest.Status
    def __init__(self, status: _Optional[_Union[TxSubscribeRequest.Status, str]] = ...) -> None: ...

class TxSubscribeResponse(_message.Message):
    __slots__ = ("tx_hash", "status", "timestamp")
    TX_HASH_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    tx_hash: bytes
    status: TxSubscribeRequest.Status
    timestamp: int
    def __init__(self, tx_hash: _Optional[bytes] = ..., status: _Optional[_Union[TxSubscribeRequest.Status, str]] = ..., timestamp: _Optional[int] = ...) -> None: ...
