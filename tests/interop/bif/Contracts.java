import cn.bif.model.request.BIFBatchContractInvokeRequest;
import cn.bif.model.request.BIFContractCallRequest;
import cn.bif.model.request.BIFContractCheckValidRequest;
import cn.bif.model.request.BIFContractCreateRequest;
import cn.bif.model.request.BIFContractGetAddressRequest;
import cn.bif.model.request.BIFContractGetInfoRequest;
import cn.bif.model.request.BIFContractInvokeRequest;
import cn.bif.model.request.operation.BIFContractInvokeOperation;
import cn.bif.model.response.BIFContractCreateResponse;
import cn.bif.model.response.BIFContractGetAddressResponse;
import cn.bif.model.response.BIFContractInvokeResponse;
import cn.bif.module.contract.BIFContractService;
import java.util.ArrayList;
import java.util.List;

/** Calls of the contract service, on the contract that the test hands in. */
final class Contracts {
    private static final int JAVASCRIPT = 0;
    private static final int EVM = 1;
    private static final long ENOUGH = 200_000_000L;

    private Contracts() {}

    static void run(Session session) throws Exception {
        String contract = create(session, "contract", session.contract, JAVASCRIPT, "起点", ENOUGH);
        refusals(session);
        read(session, contract);
        invoke(session, contract);
        batch(session, contract);
    }

    private static void refusals(Session session) throws Exception {
        create(session, "contract-low-fee", session.contract, JAVASCRIPT, "", 1_000_000L);
        create(session, "contract-syntax", "function init( {", JAVASCRIPT, "", ENOUGH);
        create(session, "contract-init-fails", session.contract, JAVASCRIPT, "fail", ENOUGH);
        create(session, "contract-evm", "6080604052", EVM, "", ENOUGH);
        create(session, "contract-empty", "", JAVASCRIPT, "", ENOUGH);
    }

    private static void read(Session session, String contract) throws Exception {
        check(session, "contract-valid", contract);
        check(session, "contract-invalid", session.sender.address);
        check(session, "contract-missing", session.third.address);
        info(session, "contract-info", contract);
        info(session, "contract-info-account", session.sender.address);
        info(session, "contract-info-missing", session.third.address);
        address(session, "contract-address-missing", "0".repeat(64));
        query(session, "query", contract, "name");
        query(session, "query-absent", contract, "absent");
        query(session, "query-number", contract, "number");
        query(session, "query-fails", contract, "fail");
        query(session, "query-writes", contract, "write");
        query(session, "query-endless", contract, "endless");
        query(session, "query-account", session.sender.address, "name");
        query(session, "query-missing", session.third.address, "name");
    }

    private static void invoke(Session session, String contract) throws Exception {
        invoke(session, "invoke", contract, 0L, "store 武汉");
        query(session, "invoke:query", contract, "name");
        invoke(session, "invoke-pays", contract, 50L, "");
        session.balance("invoke-pays:balance", contract);
        session.balance("invoke-forwards:before", session.second.address);
        invoke(session, "invoke-forwards", contract, 0L, "pay " + session.second.address);
        session.balance("invoke-forwards:after", session.second.address);
        invoke(session, "invoke-logs", contract, 0L, "log");
        invoke(session, "invoke-fails", contract, 0L, "fail");
        invoke(session, "invoke-endless", contract, 0L, "endless");
        invoke(session, "invoke-account", session.sender.address, 0L, "");
        query(session, "invoke-fails:query", contract, "name");
    }

    private static void batch(Session session, String contract) throws Exception {
        List<BIFContractInvokeOperation> operations = new ArrayList<>();
        for (String input : new String[] {"store 汉阳", "store 武昌"}) {
            BIFContractInvokeOperation operation = new BIFContractInvokeOperation();
            operation.setContractAddress(contract);
            operation.setBIFAmount(1L);
            operation.setInput(input);
            operations.add(operation);
        }
        BIFBatchContractInvokeRequest request = new BIFBatchContractInvokeRequest();
        request.setSenderAddress(session.sender.address);
        request.setPrivateKey(session.sender.privateKey);
        request.setDomainId(session.domain);
        request.setOperations(operations);
        BIFContractInvokeResponse answer =
                session.sdk.getBIFContractService().batchContractInvoke(request);
        report(session, "invoke-batch", answer);
        query(session, "invoke-batch:query", contract, "name");
    }

    private static String create(
            Session session, String step, String payload, int type, String input, long fee)
            throws Exception {
        BIFContractService service = session.sdk.getBIFContractService();
        BIFContractCreateRequest request = new BIFContractCreateRequest();
        request.setSenderAddress(session.sender.address);
        request.setPrivateKey(session.sender.privateKey);
        request.setDomainId(session.domain);
        request.setInitBalance(1000L);
        request.setPayload(payload);
        request.setInitInput(input);
        request.setType(type);
        request.setFeeLimit(fee);
        BIFContractCreateResponse answer = service.contractCreate(request);
        session.say(step, answer);
        if (answer.getErrorCode() != 0) {
            return null;
        }
        String hash = answer.getResult().getHash();
        session.confirm(step, hash);
        BIFContractGetAddressResponse found = address(session, step + ":address", hash);
        return found.getErrorCode() == 0
                ? found.getResult().getContractAddressInfos().get(0).getContractAddress()
                : null;
    }

    private static BIFContractGetAddressResponse address(Session session, String step, String hash)
            throws Exception {
        BIFContractGetAddressRequest request = new BIFContractGetAddressRequest();
        request.setHash(hash);
        request.setDomainId(session.domain);
        BIFContractGetAddressResponse answer =
                session.sdk.getBIFContractService().getContractAddress(request);
        session.say(step, answer);
        return answer;
    }

    private static void check(Session session, String step, String address) throws Exception {
        BIFContractCheckValidRequest request = new BIFContractCheckValidRequest();
        request.setContractAddress(address);
        request.setDomainId(session.domain);
        session.say(step, session.sdk.getBIFContractService().checkContractAddress(request));
    }

    private static void info(Session session, String step, String address) throws Exception {
        BIFContractGetInfoRequest request = new BIFContractGetInfoRequest();
        request.setContractAddress(address);
        request.setDomainId(session.domain);
        session.say(step, session.sdk.getBIFContractService().getContractInfo(request));
    }

    private static void query(Session session, String step, String address, String input)
            throws Exception {
        BIFContractCallRequest request = new BIFContractCallRequest();
        request.setContractAddress(address);
        request.setInput(input);
        request.setDomainId(session.domain);
        session.say(step, session.sdk.getBIFContractService().contractQuery(request));
    }

    private static void invoke(
            Session session, String step, String address, long amount, String input)
            throws Exception {
        BIFContractInvokeRequest request = new BIFContractInvokeRequest();
        request.setSenderAddress(session.sender.address);
        request.setPrivateKey(session.sender.privateKey);
        request.setDomainId(session.domain);
        request.setContractAddress(address);
        request.setBIFAmount(amount);
        request.setInput(input);
        report(session, step, session.sdk.getBIFContractService().contractInvoke(request));
    }

    private static void report(Session session, String step, BIFContractInvokeResponse answer)
            throws Exception {
        session.say(step, answer);
        if (answer.getErrorCode() == 0) {
            session.confirm(step, answer.getResult().getHash());
        }
    }
}
